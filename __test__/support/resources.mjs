// Caches with resources on the store of a test file. Their values are those of a map, which a test changes as an admin would.
import { randomUUID } from 'node:crypto'
import { SharedCache } from 'grove-shared-cache'

import { until } from '../../dev/until.mjs'

/** Served from memory until something is told. */
export const LEASED = { maxStalenessMs: 600_000 }
/** Nothing is served under a lease: every read asks. */
export const ASKING = { maxStalenessMs: 0 }

/**
 * Caches of one fleet, on keys that no other test uses; closed when the test is over.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {{ environment: Record<string, string> }} store
 * @param {object} [shared] options of all of them
 * @returns {{ prefix: string, options: object, cache(own?: object): SharedCache }}
 */
export function sharedFleet(t, { environment }, shared = {}) {
  const prefix = `test:${randomUUID()}`
  const options = {
    upstashUrl: environment.UPSTASH_REDIS_REST_URL,
    upstashToken: environment.UPSTASH_REDIS_REST_TOKEN,
    keyPrefix: prefix,
    // Long enough for a loaded machine; tests of timeouts have their own.
    redisTimeoutMs: 5000,
    sourceTimeoutMs: 10_000,
    logLevel: 'silent',
    ...shared,
  }
  const cache = (own = {}) => {
    const made = new SharedCache({ ...options, ...own })
    t.teardown(() => made.close())
    return made
  }
  return { prefix, options, cache }
}

/**
 * A source: what it has, and how often each id was loaded.
 *
 * @returns {{ values: Map<string, unknown>, loads: string[], load(id: string): unknown }}
 */
export function sourceOf(entries = {}) {
  const values = new Map(Object.entries(entries))
  const loads = []
  const load = async (id) => {
    loads.push(id)
    return values.get(id)
  }
  return { values, loads, load }
}

/** Until the store has values of this many entries of a resource. */
export function stored(redis, prefix, name, count = 1) {
  const there = async () => (await redis.keys(`${prefix}:${name}:*:value`)).length >= count
  return until(there, `${count} stored values of ${name}`)
}

/** Until the stream of a cache is open; what it holds from then on, a push tells it about. */
export const listening = (cache) => until(() => cache.stats().push.connected, 'the stream')

/** Until a read of the id is answered from memory, and its value. */
export function held(resource, id) {
  return until(async () => {
    const entry = await resource.getEntry(id)
    return entry.tier === 'memory' && entry
  }, `an entry in memory`)
}

/** Two instances; the second has no loader that answers, so what it gives comes from the store. */
export function pairOn(t, store, { load }) {
  const { prefix, cache } = sharedFleet(t, store, LEASED)
  const failing = () => Promise.reject(new Error('not to be asked'))
  const one = cache().resource({ name: 'thing', load })
  const other = cache().resource({ name: 'thing', load: failing })
  return { prefix, one, other }
}
