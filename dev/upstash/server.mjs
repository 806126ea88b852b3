// A local server that speaks Upstash's REST protocol over a Redis.
//
//   routes         HTTP request → commands → answer      commands       parsing, and what REST refuses
//   access         tokens                                execution      running, billing
//   encodings      JSON, base64, RESP2                   store          redis-server or embedded
//   subscriptions  pub/sub as server-sent events         scripts        the Lua shebang of the real service
//   sync-token     positions for "read your writes"      …-database     which store runs what, and its position
//
// Not imitated: more than one replica, ACL users beyond the read-only token, the check that scripts with
// `allow-key-locking` declare all keys, /monitor, quotas (set a fault instead).

import { randomBytes } from 'node:crypto'

import { withFaults } from '../faults.mjs'
import { serve } from '../loopback.mjs'
import { Access } from './access.mjs'
import { CommandTable } from './commands.mjs'
import { Execution } from './execution.mjs'
import { LoneDatabase } from './lone-database.mjs'
import { ReplicatedDatabase } from './replicated-database.mjs'
import { routes } from './routes.mjs'
import { openStore } from './store.mjs'
import { SyncTokens } from './sync-token.mjs'

/**
 * Starts the bridge.
 *
 * @param {object} options
 * @param {Awaited<ReturnType<import('../redis.mjs').startRedis>>} options.redis the store behind it
 * @param {Awaited<ReturnType<import('../replica.mjs').startReplica>>} [options.replica] answers what only reads
 * @param {string} [options.token] random by default
 * @param {string} [options.readOnlyToken] random by default
 * @param {number} [options.maxRequestBytes] 10 MiB, as the service has it
 * @param {number} [options.gzipFromBytes] answers of this size on are compressed for clients that accept it; 1024
 * @returns {Promise<{ url: string, token: string, readOnlyToken: string, commands: number, requests: number,
 *   waitingReads: number, resetCounters(): void, faults: import('../faults.mjs').Faults, stop(): Promise<void> }>}
 *   `commands` counts what would be billed (exact over redis-server; over the embedded store, a script that fails
 *   counts as one), `requests` every HTTP request that arrived, those hit by a fault included, `waitingReads` the
 *   requests that wait at the moment for the replica to catch up
 */
export async function startUpstash({
  redis,
  replica,
  token = randomBytes(24).toString('base64url'),
  readOnlyToken = randomBytes(24).toString('base64url'),
  maxRequestBytes = 10 * 1024 * 1024,
  gzipFromBytes = 1024,
}) {
  const primary = openStore(redis)
  const database = replica
    ? new ReplicatedDatabase({ primary, replica: openStore(replica) })
    : new LoneDatabase({ primary })
  const table = new CommandTable(await primary.commands())
  const execution = new Execution({ database, table })
  const tokens = new SyncTokens()
  const access = new Access({ token, readOnlyToken })
  const { listener, faults } = withFaults(
    routes({ access, execution, tokens, database, maxRequestBytes, gzipFromBytes }),
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
    get waitingReads() {
      return database.waitingReads
    },
    resetCounters() {
      execution.billed = 0
      requests = 0
    },
    async stop() {
      await server.stop()
      database.close()
    },
  }
}
