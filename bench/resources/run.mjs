// One run over resources: the parts one after the other, on one stack.

import { startProcess } from '../../dev/process.mjs'
import { measureCommands } from './commands.mjs'
import { hitsOf } from './goals.mjs'
import { measureHits } from './hits.mjs'
import { measureMemory } from './memory.mjs'
import { measureRatios } from './ratios.mjs'

const STACK = new URL('../stack.mjs', import.meta.url)
const KEY = 'bench:value'

export const PARTS = {
  hits: 'hits',
  commands: 'store commands in a lease',
  memory: 'bytes of the near cache',
  ratios: 'hit ratios',
}

const MEASURES = {
  hits: async (context) => hitsOf(await measureHits(context)),
  commands: measureCommands,
  memory: measureMemory,
  ratios: measureRatios,
}

/**
 * @param {object} options
 * @param {string[]} options.parts names of `PARTS`
 * @param {'whole' | 'quick'} options.pace
 * @param {number} [options.reads] of each trace
 * @param {(words: string) => void} [options.onProgress]
 * @returns {Promise<object>} `store`, and what was measured by part
 *
 * @typedef {{ stack: object, environment: Record<string, string>, pace: 'whole' | 'quick' }} Context
 */
export async function runResources({ parts, pace, reads, onProgress = () => {} }) {
  const stack = startProcess(STACK, { name: 'the stack' })
  try {
    const { environment, store } = await stack.ask('start', { key: KEY })
    const measured = { store }
    for (const part of parts) {
      onProgress(`Measuring ${PARTS[part]}`)
      measured[part] = await MEASURES[part]({ stack, environment, pace, reads, onProgress })
    }
    return measured
  } finally {
    await stack.stop()
  }
}
