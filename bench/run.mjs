// One run: the parts one after the other, on one stack.

import { startProcess } from '../dev/process.mjs'
import { measureCold } from './cold/cold.mjs'
import { measureCommands } from './commands.mjs'
import { measureGrowth } from './growth/growth.mjs'
import { measureHits } from './hits/hits.mjs'
import { measureReads } from './reads.mjs'

const STACK = new URL('stack.mjs', import.meta.url)
const KEY = 'bench:value'

const MEASURES = {
  hits: measureHits,
  reads: measureReads,
  cold: measureCold,
  commands: measureCommands,
  growth: measureGrowth,
}

/**
 * @param {object} options
 * @param {string[]} options.parts names of `PARTS`
 * @param {'whole' | 'quick'} options.pace
 * @param {(part: string) => void} [options.onPart] told each as it begins
 * @returns {Promise<{ store: string, samples: Record<string, import('./statistics.mjs').Samples> }>} samples by part
 *
 * @typedef {object} Context
 * @property {object} stack its process
 * @property {Record<string, string>} environment that the package reads
 * @property {string} key where the prompt lies as a plain string
 * @property {'whole' | 'quick'} pace
 */
export async function runBench({ parts, pace, onPart = () => {} }) {
  const stack = startProcess(STACK, { name: 'the stack' })
  try {
    const { environment, store } = await stack.ask('start', { key: KEY })
    const samples = {}
    for (const part of parts) {
      onPart(part)
      samples[part] = await MEASURES[part]({ stack, environment, key: KEY, pace })
    }
    return { store, samples }
  } finally {
    await stack.stop()
  }
}
