// The store and the source that servers are run against: the user's own where the environment names them, else local
// ones, each half for itself.

import { randomBytes } from 'node:crypto'

import { startSource, startStore } from './stack.mjs'

const STORE = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN']
const SOURCE = ['SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY']
const FORGET_WITHIN_MS = 3000
/** The keys of a demo that do not expire soon. */
const LEFT_BEHIND = [
  'sequence',
  'log',
  'members',
  'system-prompt:generation',
  'lens:*:generation',
  'lens:story:generation',
  'tag:table%3Apublic.lenses:generation',
]

/** Why an environment cannot be used, or null: half of a pair is a mistake, and not a reason to take a local one. */
export function problemOf(environment) {
  const halves = [STORE, SOURCE].find(([url, key]) => environment[url] && !environment[key])
  return halves ? `${halves[0]} is set, but ${halves[1]} is not.` : null
}

/**
 * Starts what the environment does not name. What an interrupted start leaves behind ends with this process.
 *
 * @param {object} options
 * @param {Record<string, string | undefined>} options.environment
 * @param {boolean} [options.embedded] the in-process store even where redis-server is installed
 * @returns {Promise<{ store: object, source: object, environment: Record<string, string>, stop(): Promise<void> }>}
 *   `environment` is the given one with both halves in it
 */
export async function openBackends({ environment, embedded = false }) {
  const [store, source] = await Promise.all([
    environment[STORE[0]] ? yourStore(environment) : localStore(embedded),
    environment[SOURCE[0]] ? yourSource(environment) : localSource(),
  ])
  return {
    store,
    source,
    environment: { ...environment, ...store.environment, ...source.environment },
    async stop() {
      await source.stop()
      await store.stop()
    },
  }
}

async function localStore(embedded) {
  const { store, upstash, environment, stop } = await startStore({ embedded })
  const words = store.kind === 'embedded' ? 'embedded Redis' : store.kind
  return {
    local: true,
    words: `${words} behind an Upstash bridge`,
    url: upstash.url,
    environment,
    stop,
  }
}

async function yourStore(environment) {
  const [url, token] = STORE.map((name) => environment[name])
  // Keys of its own: what is tried out here must not reach servers that use the same database.
  const keyPrefix = `grove-demo-${randomBytes(4).toString('hex')}`
  const forget = () => {
    const keys = LEFT_BEHIND.map((name) => `${keyPrefix}:${name}`)
    return fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(['DEL', ...keys]),
      signal: AbortSignal.timeout(FORGET_WITHIN_MS),
    }).catch(() => {})
  }
  return {
    local: false,
    words: 'your Upstash',
    url,
    keyPrefix,
    environment: { CACHE_KEY_PREFIX: keyPrefix },
    stop: forget,
  }
}

async function localSource() {
  const { supabase, sql, environment, stop } = await startSource()
  return {
    local: true,
    words: 'Postgres and PostgREST behind a Supabase gateway',
    url: supabase.url,
    key: supabase.serviceKey,
    sql,
    environment,
    stop,
  }
}

async function yourSource(environment) {
  return {
    local: false,
    words: 'your Supabase, which is only read',
    url: environment[SOURCE[0]],
    environment: {},
    async stop() {},
  }
}
