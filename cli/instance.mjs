// The cache that a command is: an instance of the fleet like the servers', with more time for each answer.

import { SharedCache } from '../index.mjs'

const TIMEOUT_MS = 5000

/**
 * Makes one for what `use` does, and closes it after that.
 *
 * @template T
 * @param {{ keyPrefix?: string, timeoutMs?: number }} options `timeoutMs`: for one answer of Redis or of the source
 * @param {(cache: SharedCache) => Promise<T>} use
 * @param {object} [further] options of this command alone
 */
export async function withInstance({ keyPrefix, timeoutMs = TIMEOUT_MS }, use, further = {}) {
  const cache = new SharedCache({
    keyPrefix,
    redisTimeoutMs: timeoutMs,
    sourceTimeoutMs: timeoutMs,
    logLevel: 'silent',
    ...further,
  })
  try {
    return await use(cache)
  } finally {
    await cache.close()
  }
}
