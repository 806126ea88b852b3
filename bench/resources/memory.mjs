// Whether the near cache keeps to its bytes: entries of mixed sizes, three times as many as fit.

import { startProcess } from '../../dev/process.mjs'

const FILLER = new URL('filler.mjs', import.meta.url)
const MAX_BYTES = { whole: [32 << 20, 64 << 20, 256 << 20], quick: [8 << 20] }
const TIMES_OVER = 3

/**
 * @param {{ pace: 'whole' | 'quick' }} context
 * @returns {Promise<Array<object>>} for each `maxBytes`, as `fill` of `filler.mjs` gives it
 */
export async function measureMemory({ pace }) {
  const measured = []
  for (const maxBytes of MAX_BYTES[pace]) {
    const child = startProcess(FILLER, { name: 'filler' })
    try {
      measured.push(await child.ask('fill', { maxBytes, timesOver: TIMES_OVER, seed: 1 }))
    } finally {
      await child.stop()
    }
  }
  return measured
}
