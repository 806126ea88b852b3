// Hits: what it takes to await a prompt that is in memory.

import { startProcess } from '../../dev/process.mjs'

const PROCESS = new URL('process.mjs', import.meta.url)
/** A process compiles a loop once and for all, well or less so: several processes tell the rule from the chance. */
const PROCESSES = { whole: 4, quick: 1 }
const ROUNDS = { whole: 40, quick: 6 }

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../statistics.mjs').Samples>} */
export async function measureHits({ environment, pace }) {
  const samples = {}
  for (let count = 0; count < PROCESSES[pace]; count += 1) {
    const child = startProcess(PROCESS, { name: 'hits' })
    try {
      const place = { environment, keyPrefix: 'bench:hits' }
      const found = await child.ask('measure', { rounds: ROUNDS[pace], ...place })
      for (const [side, { ns }] of Object.entries(found))
        samples[side] = { ns: [...(samples[side]?.ns ?? []), ...ns] }
    } finally {
      await child.stop()
    }
  }
  return samples
}
