// Commands that the store bills for a thousand reads of an instance with steady traffic.

import { startProcess } from '../dev/process.mjs'
import { orderOf, sampling } from './statistics.mjs'

const INSTANCE = new URL('instance.mjs', import.meta.url)
const SIDES = ['ours', 'oursAsking', 'upstash', 'libCache']
const PER_SECOND = 200
const READS = { whole: 1000, quick: 200 }
const ROUNDS = { whole: 2, quick: 1 }

/** @param {import('./run.mjs').Context} context @returns {Promise<import('./statistics.mjs').Samples>} */
export async function measureCommands({ stack, environment, key, pace }) {
  const child = startProcess(INSTANCE, { name: 'commands' })
  try {
    await child.ask('open', { sides: SIDES, environment, key, keyPrefix: 'bench:commands' })
    const { samples, add } = sampling()
    const count = READS[pace]
    for (let round = 0; round < ROUNDS[pace]; round += 1) {
      for (const side of orderOf(SIDES, round)) {
        const before = await stack.ask('commands')
        await child.ask('readAtRate', { side, count, perSecond: PER_SECOND })
        add(side, { perThousand: (((await stack.ask('commands')) - before) * 1000) / count })
      }
    }
    return samples
  } finally {
    await child.stop()
  }
}
