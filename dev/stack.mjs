// The whole local stack: Redis, the Upstash-compatible bridge, Postgres, PostgREST and the gateway that plays Supabase.
//
// As a program it prints the environment that the addon reads and stays up:
//   node dev/stack.mjs [--embedded] [--until-stdin-closes]

import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'

import { startPostgres } from './postgres.mjs'
import { startPostgrest } from './postgrest.mjs'
import { startRedis } from './redis.mjs'
import { startSupabase } from './supabase.mjs'
import { startUpstash } from './upstash/server.mjs'

/**
 * Starts everything on free loopback ports.
 *
 * @param {object} [options]
 * @param {boolean} [options.embedded] the in-process store even where redis-server is installed
 * @param {(part: string) => void} [options.onProgress] told each part as it is up
 * @returns {Promise<{ redis: import('ioredis').Redis, store: Awaited<ReturnType<typeof startRedis>>,
 *   upstash: Awaited<ReturnType<typeof startUpstash>>, supabase: Awaited<ReturnType<typeof startSupabase>>,
 *   postgres: Awaited<ReturnType<typeof startPostgres>>, sql(text: string, params?: unknown[]): Promise<object[]>,
 *   environment: Record<string, string>, stop(): Promise<void> }>} `redis` is a client beside the bridge, as a
 *   stranger's console would be; `stop` stops the parts in reverse order
 */
export async function startStack({ embedded = false, onProgress = () => {} } = {}) {
  const stops = []
  const stop = async () => {
    while (stops.length > 0) await stops.pop()()
  }
  const up = (part, started) => {
    stops.push(() => started.stop())
    onProgress(part)
    return started
  }
  try {
    // The slowest part first, the others beside it.
    const starting = startPostgres()
    starting.catch(() => {})
    const store = up('redis', await startRedis({ embedded }))
    const upstash = up('upstash', await startUpstash({ redis: store }))
    const postgres = up('postgres', await starting)
    const jwtSecret = randomBytes(32).toString('hex')
    const postgrest = up(
      'postgrest',
      await startPostgrest({ databaseUrl: postgres.url, jwtSecret }),
    )
    const supabase = up('supabase', await startSupabase({ postgrestUrl: postgrest.url, jwtSecret }))
    const environment = {
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: upstash.token,
      SUPABASE_URL: supabase.url,
      SUPABASE_SERVICE_ROLE_KEY: supabase.serviceKey,
    }
    return {
      redis: store.connect(),
      store,
      upstash,
      supabase,
      postgres,
      sql: postgres.sql,
      environment,
      stop,
    }
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
  const stack = await startStack({ embedded: args.includes('--embedded') })
  for (const [key, value] of Object.entries(stack.environment)) console.log(`${key}=${value}`)
  await asked
  await stack.stop()
  process.exit(0)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2))
