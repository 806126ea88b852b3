// Reads of the store: how long one takes, and what it costs the process and its event loop.

import { startProcess } from '../dev/process.mjs'
import { orderOf, sampling } from './statistics.mjs'

const INSTANCE = new URL('instance.mjs', import.meta.url)
const SIDES = ['oursAsking', 'oursGet', 'upstash', 'upstashRaw', 'libCache']
const ROUNDS = { whole: 20, quick: 3 }
const READS = { whole: 200, quick: 100 }
const WARM_UP_ROUNDS = 3

/** @param {import('./run.mjs').Context} context @returns {Promise<import('./statistics.mjs').Samples>} */
export async function measureReads({ environment, key, pace }) {
  // A process for each, so that what a process used is what its side used.
  const instances = SIDES.map((side) => ({
    side,
    child: startProcess(INSTANCE, { name: `reads of ${side}` }),
  }))
  try {
    const place = { environment, key, keyPrefix: 'bench:reads' }
    for (const { side, child } of instances) await child.ask('open', { sides: [side], ...place })
    const { samples, add } = sampling()
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS[pace]; round += 1) {
      for (const { side, child } of orderOf(instances, Math.max(0, round))) {
        const measured = await child.ask('readInSequence', { side, count: READS[pace] })
        if (round >= 0) add(side, measured)
      }
    }
    return samples
  } finally {
    await Promise.all(instances.map(({ child }) => child.stop()))
  }
}
