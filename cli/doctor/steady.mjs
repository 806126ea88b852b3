// A state of several keys that takes several commands to look at.

import { setTimeout as wait } from 'node:timers/promises'

/** An invalidation, a fill or an expiry may come between two commands; what is wrong stays wrong. */
const LOOKS = 3
const BETWEEN_LOOKS_MS = 150

/**
 * Looks until nothing is wrong, or what is wrong has stayed.
 *
 * @template {{ problems: { level: 'warn' | 'fail', message: string }[] }} Verdict
 * @param {() => Promise<Verdict>} look
 * @returns {Promise<Verdict>} of the last look
 */
export async function steady(look) {
  let verdict = await look()
  for (let looks = 1; looks < LOOKS && verdict.problems.length > 0; looks += 1) {
    await wait(BETWEEN_LOOKS_MS)
    verdict = await look()
  }
  return verdict
}

const NO_KEY = -2
/** What `TTL` says of a key without an expiry. */
export const NO_EXPIRY = -1

/**
 * @param {import('./redis.mjs').Redis} redis
 * @param {string[]} keys
 * @returns {Promise<{ value: string | null, expires: number, isThere: boolean }[]>} `expires`: in how many seconds; the value
 *   of a key that is there and no string is null
 */
export async function stringsAt(redis, keys) {
  const values = await redis.command('MGET', ...keys)
  const seen = []
  for (const [index, key] of keys.entries()) {
    const expires = await redis.command('TTL', key)
    const value = values[index] === null ? null : String(values[index])
    seen.push({ value, expires, isThere: expires !== NO_KEY })
  }
  return seen
}
