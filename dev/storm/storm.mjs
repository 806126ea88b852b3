// Storms over several programs, one after the other; each is checked as it ends.

import { startProcess } from '../process.mjs'
import { checkHistory } from './checker.mjs'
import { COLUMNS } from './columns.mjs'
import { judgeEntries } from './entries/history.mjs'
import { propagationOf } from './propagation.mjs'
import { LIMITS, READERS, runStorm } from './run.mjs'
import { stalenessOf } from './staleness.mjs'

export const STACK = new URL('stack.mjs', import.meta.url)
export const SOURCE_MS = { least: 20, most: 80 }

/**
 * @param {object} options
 * @param {string[]} options.columns keys of `COLUMNS`
 * @param {boolean[]} options.faults whether with faults: one storm for each of them and each column
 * @param {number} options.seconds
 * @param {number} options.reads at least, where the package itself is read
 * @param {number} options.instances
 * @param {number} options.seed
 * @param {(words: string) => void} [options.onProgress]
 * @returns {Promise<{ store: string, sourceMs: object, readers: number, boundMs: number, hungMs: number, runs: Run[] }>}
 *   `readers` of each instance
 *
 * @typedef {object} Run `found` as `checkHistory` gives it, `propagation` as `propagationOf`, `staleness` as `stalenessOf`,
 *   `entries` as `judgeEntries`, where there were any
 */
export async function runStorms({ columns, faults, onProgress = () => {}, ...options }) {
  const { seed, seconds, instances, reads } = options
  const stacks = new Map()
  /** The stack with a lagging replica, or the one without. */
  async function stackOf({ replica = false }) {
    if (!stacks.has(replica)) {
      const process = startProcess(STACK, { name: 'the stack' })
      stacks.set(replica, { process })
      const started = await process.ask('start', { seed, sourceMs: SOURCE_MS, replica })
      stacks.set(replica, { process, ...started })
    }
    return stacks.get(replica)
  }
  try {
    const runs = []
    let kind
    for (const withFaults of faults) {
      for (const name of columns) {
        const column = COLUMNS[name]
        onProgress(
          `${column.title}, ${withFaults ? 'with' : 'without'} faults: ${seconds} s, ${instances} instances`,
        )
        const { process: stack, environment, store } = await stackOf(column)
        kind = store
        const storm = await runStorm({
          ...options,
          stack,
          environment,
          column,
          faults: withFaults,
          reads: column.program === 'ours' ? reads : 0,
        })
        runs.push(judged(storm, { name, column, withFaults, seconds, instances }))
      }
    }
    return { store: kind, sourceMs: SOURCE_MS, readers: READERS, ...LIMITS, runs }
  } finally {
    await Promise.all([...stacks.values()].map(({ process }) => process.stop()))
  }
}

function judged(storm, { name, column, withFaults, seconds, instances }) {
  const { history, beganMs } = storm
  const found = checkHistory(history)
  const since = (atMs) => (atMs === null ? null : atMs - beganMs)
  const fromStart = ({ beganMs, endedMs, ...rest }) => ({
    beganMs: since(beganMs),
    endedMs: since(endedMs),
    ...rest,
  })
  const timed = (found) => ({
    ...found,
    examples: found.examples.map(fromStart),
    wakes: found.wakes.map(fromStart),
  })
  const invalidations = history.invalidations.length
  return {
    column: name,
    program: column.program,
    faults: withFaults,
    seconds: storm.seconds,
    invalidations,
    found: timed(found),
    propagation: propagationOf(history),
    storeCommandsPerSecond: storm.storeCommands / storm.seconds / instances,
    sourceReadsPerInvalidation: storm.sourceReads / invalidations,
    ...(storm.entries && { entries: entriesOf(storm.entries, timed) }),
    phases: storm.phases.map(({ label, fromMs, toMs }) => ({
      label,
      fromMs: since(fromMs),
      toMs: since(toMs),
    })),
    staleness: stalenessOf(history, { fromMs: beganMs, seconds }),
  }
}

function entriesOf({ left, rest, sourceReads }, timed) {
  const { found, ...judged } = judgeEntries(left, rest)
  const edited = left.edits.slice(1).reduce((sum, { numbers }) => sum + numbers.length, 0)
  return { ...judged, found: timed(found), edited, sourceReadsPerEdit: sourceReads / edited }
}
