// A local server that speaks Upstash's REST protocol over a Redis.
//
//   routes         HTTP request → commands → answer      commands       parsing, and what REST refuses
//   access         tokens                                execution      running, billing, sync token
//   encodings      JSON, base64, RESP2                   store          redis-server or embedded
//   subscriptions  pub/sub as server-sent events         scripts        the Lua shebang of the real service
//
// Not imitated: replicas, ACL users beyond the read-only token, the check that scripts with `allow-key-locking`
// declare all keys, /monitor, quotas (set a fault instead).

import { randomBytes } from 'node:crypto'

import { withFaults } from '../faults.mjs'
import { serve } from '../loopback.mjs'
import { Access } from './access.mjs'
import { CommandTable } from './commands.mjs'
import { Execution } from './execution.mjs'
import { routes } from './routes.mjs'
import { openStore } from './store.mjs'
import { SyncClock } from './sync-token.mjs'

/**
 * Starts the bridge.
 *
 * @param {object} options
 * @param {Awaited<ReturnType<import('../redis.mjs').startRedis>>} options.redis the store behind it
 * @param {string} [options.token] random by default
 * @param {string} [options.readOnlyToken] random by default
 * @param {number} [options.maxRequestBytes] 10 MiB, as the service has it
 * @param {number} [options.gzipFromBytes] answers of this size on are compressed for clients that accept it; 1024
 * @returns {Promise<{ url: string, token: string, readOnlyToken: string, commands: number, requests: number,
 *   resetCounters(): void, faults: import('../faults.mjs').Faults, stop(): Promise<void> }>} `commands` counts what
 *   would be billed (exact over redis-server; over the embedded store, a script that fails counts as one), `requests`
 *   every HTTP request that arrived, those hit by a fault included
 */
export async function startUpstash({
  redis,
  token = randomBytes(24).toString('base64url'),
  readOnlyToken = randomBytes(24).toString('base64url'),
  maxRequestBytes = 10 * 1024 * 1024,
  gzipFromBytes = 1024,
}) {
  const store = await openStore(redis)
  const clock = new SyncClock()
  const table = new CommandTable(await store.commands())
  const execution = new Execution({ store, table, clock })
  const access = new Access({ token, readOnlyToken })
  const { listener, faults } = withFaults(
    routes({ access, execution, clock, store, maxRequestBytes, gzipFromBytes }),
  )
  let requests = 0
  const server = await serve((request, response) => {
    requests += 1
    listener(request, response)
  })

  return {
    url: server.url,
    token,
    readOnlyToken,
    faults,
    get commands() {
      return execution.billed
    },
    get requests() {
      return requests
    },
    resetCounters() {
      execution.billed = 0
      requests = 0
    },
    async stop() {
      await server.stop()
      store.close()
    },
  }
}
