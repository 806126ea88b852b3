// The readers of a storm's entries in one instance: what they read next, and what an answer means.

import { isDeepStrictEqual } from 'node:util'

import { packed } from '../journal.mjs'
import { randomOf } from '../random.mjs'
import { ENTRIES, EntryReader, RESOURCES } from './entries.mjs'
import { openShared } from './shared.mjs'

/** Has no divisor in common with any number of entries, so that the most popular ones are of all resources. */
const STRIDE = 67
/** Of the first reads, before the clock starts. */
const AT_ONCE = 25

/**
 * Opens the resources in a cache, and reads each entry once.
 *
 * @param {import('grove-shared-cache').SharedCache} cache
 * @param {object} options those of `openShared`, and
 * @param {number} options.count of entries
 * @param {number} options.readers
 * @param {number} options.seed of what is read
 */
export async function startEntries(cache, { count, readers, seed, ...options }) {
  const shared = openShared(cache, options)
  const random = randomOf(seed)
  const versions = new EntryReader()
  const numbers = [...Array(count).keys()]
  for (let first = 0; first < count; first += AT_ONCE) {
    const some = numbers.slice(first, first + AT_ONCE)
    await Promise.all(some.map((number) => shared.read(number)))
  }
  return {
    ...shared,
    readers,
    // A few of them are read all the time, others hardly once in a lease.
    next: () => (Math.floor(random() ** 2 * count) * STRIDE) % count,
    meaningOf(answer, entry) {
      // Where nothing stands in, that nothing could be loaded is said by an error.
      if (answer instanceof Error) {
        const tier = answer.code === 'LOAD_FAILED' && !standInOf(entry) ? 'fallback' : 'failed'
        return packed({ version: 0, tier, entry })
      }
      const { value, tier } = answer
      if (tier === 'fallback') {
        const known = isDeepStrictEqual(value, standInOf(entry))
        return packed({ version: 0, tier: known ? 'fallback' : 'unknown', entry })
      }
      const version = versions.versionOf(entry, value)
      if (version === null) return packed({ version: 0, tier: 'unknown', entry })
      return packed({ version, tier, entry })
    },
  }
}

function standInOf(number) {
  const { name, id } = ENTRIES[number]
  return RESOURCES[name].fallback?.(id)
}
