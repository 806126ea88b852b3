// A database that announces its changes: Postgres with the shipped migration, a double of pg_net, and a server that is posted to.
import { readFileSync } from 'node:fs'
import { readBody, serve } from '../../dev/loopback.mjs'
import { startPgNet } from '../../dev/pg-net.mjs'
import { startPostgres } from '../../dev/postgres.mjs'
import { SECRET } from './webhooks.mjs'

export const MIGRATION = readFileSync(
  new URL('../../sql/supabase-webhooks.sql', import.meta.url),
  'utf8',
)

const TABLES = `
  create role authenticated nologin;
  create table documents (
    id bigint generated always as identity primary key, hub_id text, body text, extra json);
  grant all on all tables in schema public to anon, authenticated;
  select grove_cache.watch('documents');`

/** SQL that adds a document. */
export const added = (values = `'a', 'text', '{}'`) =>
  `insert into documents (hub_id, body, extra) values (${values});`

/**
 * Starts it, with a table of documents that is watched, before the tests of a file and stops it after them.
 *
 * @param {import('ava').TestFn} test
 * @returns {{ sql(text: string, params?: unknown[]): Promise<object[]>, run(text: string): Promise<string[]>,
 *   after(text: string): Promise<{ headers: object, body: string, change: object }[]>, kindsAfter(text: string): Promise<string[]>,
 *   url: string }} filled in before the first test. `run` takes several statements and gives what was warned of; `after` runs them
 *   and gives what is posted over them, in no order
 */
export function withDatabase(test) {
  const database = {}
  const stops = []
  test.serial.before(async () => {
    const arrived = []
    const server = await serve(async (request, response) => {
      const { body } = await readBody(request)
      const text = body.toString()
      arrived.push({ headers: request.headers, body: text, change: JSON.parse(text) })
      response.end()
    })
    stops.push(server.stop)
    const postgres = await startPostgres()
    stops.push(postgres.stop)
    const net = await startPgNet(postgres)
    stops.push(net.stop)
    const run = async (text) => {
      const warnings = []
      const onNotice = ({ severity, message }) => severity === 'WARNING' && warnings.push(message)
      await postgres.session.alone((one) => one.exec(text, { onNotice }))
      return warnings
    }
    const after = async (text) => {
      arrived.length = 0
      await run(text)
      await net.idle()
      return arrived.splice(0)
    }
    const kindsAfter = async (text) => (await after(text)).map(({ change }) => change.type)
    const url = `${server.url}/webhooks`
    Object.assign(database, { sql: postgres.sql, run, after, kindsAfter, url })
    await run(MIGRATION)
    await run(`${TABLES} select grove_cache.configure('${database.url}', '${SECRET}')`)
  })
  test.beforeEach(() => database.after('truncate documents'))
  test.after.always(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  return database
}
