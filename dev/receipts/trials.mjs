// Many trials, in several fleets side by side over one stack, and what their receipts come to.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startProcess } from '../process.mjs'
import { checkHistory } from '../storm/checker.mjs'
import { randomOf } from '../storm/random.mjs'
import { LIMITS } from '../storm/run.mjs'
import { SOURCE_MS, STACK } from '../storm/storm.mjs'
import { startFleet } from './fleet.mjs'

/**
 * @param {{ trials: number, fleets: number, size: number, seed: number, onProgress?: (words: string) => void }} options
 * @returns {Promise<{ size: number, trials: object[], reads: number, contradicted: number }>} `contradicted`: reads
 *   of the old prompt on any instance that began after a receipt had ruled them out
 */
export async function runTrials({ trials, fleets, size, seed, onProgress = () => {} }) {
  const directory = mkdtempSync(join(tmpdir(), 'grove-receipts-'))
  const stack = startProcess(STACK, { name: 'the stack' })
  const started = []
  try {
    const { environment } = await stack.ask('start', { seed, sourceMs: SOURCE_MS })
    const baseline = await stack.ask('edit')
    for (let index = 0; index < fleets; index += 1) {
      const [how, random] = [index % 2 === 0 ? 'frozen' : 'killed', randomOf(seed + index)]
      started.push(await startFleet({ stack, environment, directory, size, how, random }))
    }
    let begun = 0
    await Promise.all(
      started.map(async (fleet) => {
        while (begun < trials) {
          begun += 1
          if (begun % 100 === 0) onProgress(`${begun} of ${trials}`)
          await fleet.trial()
        }
      }),
    )
    const all = started.flatMap(({ edits }) => edits)
    const allEdits = [baseline, ...all.toSorted((one, other) => one.version - other.version)]
    const found = []
    for (const fleet of started)
      found.push(checkHistory(await fleet.stop({ first: 1, allEdits, limits: LIMITS })))
    const sum = (what) => found.reduce((total, one) => total + one[what], 0)
    return {
      size,
      trials: started.flatMap((fleet) => fleet.trials),
      reads: sum('reads'),
      contradicted: sum('proven'),
    }
  } finally {
    await Promise.all(started.flatMap((fleet) => fleet.kill()))
    await stack.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
