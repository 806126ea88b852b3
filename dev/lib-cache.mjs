// The cache module that servers wrote for themselves before this package: `@upstash/redis`, JSON values, five minutes.
// Here to prove that both can work on the same store, and to be measured beside.
import { Redis } from '@upstash/redis'

const TTL_SECONDS = 300

/** @param {{ url: string, token: string }} endpoint */
export function libCache(endpoint) {
  const redis = new Redis(endpoint)
  return {
    get: (key) => redis.get(key),
    set: (key, value, ttlSeconds = TTL_SECONDS) => redis.set(key, value, { ex: ttlSeconds }),
    del: (key) => redis.del(key),
  }
}
