// The whole local stack: Redis, the Upstash-compatible bridge, Postgres, PostgREST and the gateway that plays Supabase.
//
// As a program it prints the environment that the addon reads and stays up:
//   node dev/stack.mjs [--store] [--embedded] [--until-stdin-closes]
//
// With --store it starts Redis and the bridge alone.

import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'

import { startPostgres } from './postgres.mjs'
import { startPostgrest } from './postgrest.mjs'
import { startRedis } from './redis.mjs'
import { startReplica } from './replica.mjs'
import { startSupabase } from './supabase.mjs'
import { startUpstash } from './upstash/server.mjs'

/**
 * Starts the store: Redis, its replica if one is asked for, and the bridge in front of them.
 *
 * @param {{ embedded?: boolean, replica?: { lagMs?: number }, onProgress?: (part: string) => void }} [options] see
 *   {@link startStack}
 */
export function startStore({ embedded = false, replica: lagging, onProgress } = {}) {
  return startParts(onProgress, async (up) => {
    const store = up('redis', await startRedis({ embedded }))
    const replica = lagging && up('replica', await startReplica({ redis: store, ...lagging }))
    const upstash = up('upstash', await startUpstash({ redis: store, replica }))
    const environment = {
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: upstash.token,
    }
    return { store, replica, upstash, environment }
  })
}

/**
 * Starts the source: Postgres, PostgREST, and the gateway in front of them.
 *
 * @param {{ tables?: object, onProgress?: (part: string) => void }} [options] see {@link startStack}
 */
export function startSource({ tables, onProgress } = {}) {
  return startParts(onProgress, async (up) => {
    const postgres = up('postgres', await startPostgres())
    const jwtSecret = randomBytes(32).toString('hex')
    const postgrest = up(
      'postgrest',
      await startPostgrest({ databaseUrl: postgres.url, jwtSecret }),
    )
    const postgrestUrl = postgrest.url
    const supabase = up('supabase', await startSupabase({ postgrestUrl, jwtSecret, tables }))
    const environment = {
      SUPABASE_URL: supabase.url,
      SUPABASE_SERVICE_ROLE_KEY: supabase.serviceKey,
    }
    return { postgres, supabase, sql: postgres.sql, environment }
  })
}

/**
 * Starts everything on free loopback ports.
 *
 * @param {object} [options]
 * @param {boolean} [options.embedded] the in-process store even where redis-server is installed
 * @param {{ lagMs?: number }} [options.replica] a replica that answers what only reads, and lags; needs redis-server
 * @param {object} [options.tables] of the source that are not in Postgres, as `startSupabase` takes them
 * @param {(part: string) => void} [options.onProgress] told each part as it is up
 * @returns {Promise<{ redis: import('ioredis').Redis, store: Awaited<ReturnType<typeof startRedis>>,
 *   replica?: Awaited<ReturnType<typeof startReplica>>, upstash: Awaited<ReturnType<typeof startUpstash>>,
 *   supabase: Awaited<ReturnType<typeof startSupabase>>, postgres: Awaited<ReturnType<typeof startPostgres>>, sql(text:
 *   string, params?: unknown[]): Promise<object[]>, environment: Record<string, string>, stop(): Promise<void> }>} `redis`
 *   is a client beside the bridge, as a stranger's console would be; `stop` stops the parts in reverse order
 */
export async function startStack({ embedded = false, replica, tables, onProgress } = {}) {
  // Both at once, as Postgres takes most of the time.
  const starting = [
    startStore({ embedded, replica, onProgress }),
    startSource({ tables, onProgress }),
  ]
  const halves = await Promise.allSettled(starting)
  const started = halves.flatMap(({ value }) => value ?? [])
  const stop = async () => {
    for (const half of started.toReversed()) await half.stop()
  }
  const failed = halves.find(({ status }) => status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  const [store, source] = started
  return {
    ...store,
    ...source,
    redis: store.store.connect(),
    environment: { ...store.environment, ...source.environment },
    stop,
  }
}

/** Starts parts one after the other; if one fails, stops those that are up. */
async function startParts(onProgress, start) {
  const stops = []
  const stop = async () => {
    while (stops.length > 0) await stops.pop()()
  }
  const up = (part, started) => {
    stops.push(() => started.stop())
    onProgress?.(part)
    return started
  }
  try {
    return { ...(await start(up)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function main(args) {
  // Asked to stop while still starting, it finishes starting first: nothing half-started can be forgotten.
  const asked = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, resolve)
    if (args.includes('--until-stdin-closes')) process.stdin.on('close', resolve).resume()
  })
  const start = args.includes('--store') ? startStore : startStack
  const stack = await start({ embedded: args.includes('--embedded') })
  for (const [key, value] of Object.entries(stack.environment)) console.log(`${key}=${value}`)
  await asked
  await stack.stop()
  process.exit(0)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2))
