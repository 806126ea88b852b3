// This package at its default options, as a server opens it, and at those of some sides.

import { setTimeout as wait } from 'node:timers/promises'

const CONNECTED_WITHIN_MS = 5000

/** @param {{ environment: Record<string, string>, keyPrefix: string }} where @param {object} [options] */
export function optionsOf({ environment, keyPrefix }, options = {}) {
  return {
    upstashUrl: environment.UPSTASH_REDIS_REST_URL,
    upstashToken: environment.UPSTASH_REDIS_REST_TOKEN,
    supabaseUrl: environment.SUPABASE_URL,
    supabaseKey: environment.SUPABASE_SERVICE_ROLE_KEY,
    keyPrefix,
    ...options,
  }
}

/** Until the push stream is open, which ends the lease once more. @param {{ stats(): object }} cache that was read */
export async function pushConnected(cache) {
  const lastMs = performance.now() + CONNECTED_WITHIN_MS
  while (cache.stats().pushConnects === 0) {
    if (performance.now() > lastMs) throw new Error('the push stream did not open')
    await wait(5)
  }
}
