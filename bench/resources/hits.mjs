// Hits of resources: what it takes to await an entry that is in memory, beside the prompt and other maps.

import { startProcess } from '../../dev/process.mjs'

const PROCESS = new URL('hits-process.mjs', import.meta.url)
const PROCESSES = { whole: 4, quick: 1 }
const ROUNDS = { whole: 40, quick: 6 }
export const ENTRIES = { whole: 10_000, quick: 1000 }

/** @param {import('./run.mjs').Context} context @returns {Promise<import('../statistics.mjs').Samples>} */
export async function measureHits({ environment, pace }) {
  const samples = {}
  for (let count = 0; count < PROCESSES[pace]; count += 1) {
    const child = startProcess(PROCESS, { name: 'hits' })
    try {
      const place = { environment, keyPrefix: 'bench:resource-hits' }
      const options = { rounds: ROUNDS[pace], entries: ENTRIES[pace], ...place }
      for (const [side, { ns }] of Object.entries(await child.ask('measure', options)))
        samples[side] = { ns: [...(samples[side]?.ns ?? []), ...ns] }
    } finally {
      await child.stop()
    }
  }
  return samples
}
