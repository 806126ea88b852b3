// A real Postgres in this process: PGlite in memory, behind a socket for PostgREST.

import { readFile } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

import { SharedSession } from './shared-session.mjs'

const file = (name) => readFile(new URL(name, import.meta.url), 'utf8')

/**
 * Starts Postgres with the schema and the seed in place.
 *
 * PGlite is one session. The client of the socket and `sql` take turns, transaction by transaction.
 *
 * @returns {Promise<{ url: string, session: SharedSession, sql(text: string, params?: unknown[]): Promise<object[]>,
 *   stop(): Promise<void> }>} `url` is for PostgREST (which must keep to one connection), `sql` resolves to the rows
 */
export async function startPostgres() {
  const [schema, seed, database] = await Promise.all([
    file('schema.sql'),
    file('seed.sql'),
    PGlite.create(),
  ])
  await database.exec(schema)
  await database.exec(seed)
  const session = new SharedSession(database)
  const server = new PGLiteSocketServer({
    db: session,
    host: '127.0.0.1',
    port: 0,
    maxConnections: 4,
  })
  await server.start()
  const [host, port] = server.getServerConn().split(':')
  const sql = (text, params = []) =>
    session.alone(async (database) => (await database.query(text, params)).rows)
  const stop = async () => {
    await server.stop()
    await database.close()
  }
  return {
    url: `postgresql://postgres@${host}:${port}/postgres?sslmode=disable`,
    session,
    sql,
    stop,
  }
}
