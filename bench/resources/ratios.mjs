// How many reads the near cache answers, beside an `lru-cache` of as many entries, over the same reads.

import { LRUCache } from 'lru-cache'

import { startProcess } from '../../dev/process.mjs'
import { TRACES } from './traces.mjs'

const PROCESS = new URL('ratio-process.mjs', import.meta.url)
const SIZES = {
  whole: { keys: 100_000, reads: 1_000_000, shares: [0.01, 0.05, 0.1] },
  quick: { keys: 5000, reads: 30_000, shares: [0.01, 0.1] },
}
const SEED = 1

/**
 * @param {{ pace: 'whole' | 'quick', reads?: number, onProgress?: (words: string) => void }} context
 * @returns {Promise<Array<{ trace: string, keys: number, reads: number, entries: number, ours: number, lru: number }>>} `ours` and
 *   `lru`: hits of all reads, 0 to 1
 */
export async function measureRatios({ pace, reads: wanted, onProgress = () => {} }) {
  const { keys, reads = wanted, shares } = { ...SIZES[pace], ...(wanted && { reads: wanted }) }
  const child = startProcess(PROCESS, { name: 'ratios' })
  try {
    const measured = []
    for (const [trace, { title, keys: keysOf }] of Object.entries(TRACES)) {
      const read = keysOf({ keys, reads, seed: SEED })
      for (const share of shares) {
        const entries = keys * share
        onProgress(`  ${title}, ${entries.toLocaleString('en-US')} entries`)
        const { loads } = await child.ask('read', { trace, keys, reads, seed: SEED, entries })
        const lru = lruHits(read, entries) / reads
        measured.push({ trace, keys, reads, entries, ours: 1 - loads / reads, lru })
      }
    }
    return measured
  } finally {
    await child.stop()
  }
}

/** @param {Uint32Array} keys @param {number} max @returns {number} how many were there already */
export function lruHits(keys, max) {
  const lru = new LRUCache({ max })
  let hits = 0
  for (const key of keys) {
    if (lru.get(key) === undefined) lru.set(key, true)
    else hits += 1
  }
  return hits
}
