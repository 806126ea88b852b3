// A replica of a local Redis that lags behind as far as it is told: a redis-server of its own, which gets the primary's
// writes over a lagging link.

import { setTimeout as wait } from 'node:timers/promises'

import { startLaggingLink } from './lagging-link.mjs'
import { startRedisServer } from './redis.mjs'

const SYNC_WITHIN_MS = 20_000
const NOT_IN_SYNC = `the replica was not in sync after ${SYNC_WITHIN_MS} ms`
const POLL_MS = 5
// Longer than any lag: a replica that hears nothing for this long would take its primary for dead.
const REPL_TIMEOUT_SECONDS = 30 * 24 * 60 * 60

/**
 * Starts a replica, and waits until it holds what the primary holds.
 *
 * @param {object} options
 * @param {Awaited<ReturnType<import('./redis.mjs').startRedis>>} options.redis the primary, a redis-server
 * @param {number} [options.lagMs] how long the primary's bytes are under way, from then on
 * @returns {Promise<{ kind: 'redis-server', url: string, connect(options?: object): import('ioredis').Redis,
 *   setLag(ms: number): void, hold(): void, release(): void, stop(): Promise<void> }>} `hold` stops all bytes of the
 *   primary, until `release`; `setLag` and `release` apply to those under way, too
 */
export async function startReplica({ redis, lagMs = 0 }) {
  if (redis.kind !== 'redis-server') throw new Error('only a redis-server can have a replica')
  const link = await startLaggingLink({ port: Number(new URL(redis.url).port) })
  let server
  const stop = async () => {
    await server?.stop()
    await link.stop()
  }
  try {
    const following = ['--replicaof', '127.0.0.1', String(link.port)]
    const patience = ['--repl-timeout', String(REPL_TIMEOUT_SECONDS)]
    server = await startRedisServer([...following, ...patience])
    await inSync(redis.connect(), server.connect())
    link.setLag(lagMs)
  } catch (error) {
    await stop()
    throw error
  }
  const { setLag, hold, release } = link
  return { ...server, setLag, hold, release, stop }
}

// Its link is up once it has the first copy; the stream that follows begins a while later, and only then do writes
// arrive as late as they are told to.
async function inSync(primary, replica) {
  const last = Date.now() + SYNC_WITHIN_MS
  while (!(await replica.info('replication')).includes('master_link_status:up')) {
    if (Date.now() > last) throw new Error(NOT_IN_SYNC)
    await wait(POLL_MS)
  }
  await primary.publish('replica', 'in sync')
  if ((await primary.wait(1, SYNC_WITHIN_MS)) < 1) throw new Error(NOT_IN_SYNC)
}
