// The goals of resources: limits that were set before anything was measured.

import { ratiosOf, spreadOf } from '../statistics.mjs'
import { TRACES } from './traces.mjs'

export const HIT_GOAL = 2
/** Commands in a lease: of entries that are all read in each, and of ten thousand. */
export const HOT_ENTRIES = 1000
export const COMMAND_GOALS = { hot: 2, many: 20 }
/** Of `maxBytes`, to either side. */
export const BYTES_GOAL = 0.05

/** Of each side beside the prompt; those without a goal are only shown. */
const HITS = {
  text: { title: '`get()`, strings of 15 KB', goal: HIT_GOAL },
  json: { title: '`get()`, small JSON', goal: HIT_GOAL },
  one: { title: '`get()`, one and the same string', goal: HIT_GOAL },
  entry: { title: '`getEntry()`' },
  lru: { title: '`lru-cache` `get()`, with a TTL' },
  lruExact: { title: '`lru-cache` `get()`, `ttlResolution: 0`' },
  map: { title: 'a `Map`' },
}

/**
 * @param {import('../statistics.mjs').Samples} samples
 * @returns {Array<{ side: string, title: string, ns: Spread, ratio: Spread | null, goal: number | null }>} the prompt first; `ratio` to
 *   the prompt, round by round
 */
export function hitsOf(samples) {
  const { ns } = samples.prompt
  const prompt = { side: 'prompt', title: '`fetchActiveSystemPrompt()`', ns: spreadOf(ns) }
  return [
    { ...prompt, ratio: null, goal: null },
    ...Object.entries(HITS).map(([side, { title, goal = null }]) => ({
      side,
      title,
      ns: spreadOf(samples[side].ns),
      ratio: spreadOf(ratiosOf(samples[side].ns, ns)),
      goal,
    })),
  ]
}

/** @param {object} scenario as it was measured @returns {number} */
export const commandGoalOf = ({ entries, changes }) =>
  entries <= HOT_ENTRIES && !changes ? COMMAND_GOALS.hot : COMMAND_GOALS.many

/**
 * All goals, in words, each with whether it was met.
 *
 * @param {object} results as `resultsOf` of `results.mjs` gives them; what was not measured is left out
 * @returns {Array<{ words: string, met: boolean }>}
 */
export function verdictsOf({ hits = [], commands = [], memory = [], ratios = [] }) {
  return [
    ...hits
      .filter(({ goal }) => goal !== null)
      .map(({ title, ratio, goal }) => ({
        words: `a hit, ${title}: ${ratio.median.toFixed(2)} times that of the prompt, goal ≤ ${goal}`,
        met: ratio.median <= goal,
      })),
    ...commands.map((scenario) => {
      // The store bills what it was asked, whatever the one that asked has counted.
      const { perLease, billedPerLease, changes } = scenario
      const [goal, said] = [commandGoalOf(scenario), changes ? perLease : billedPerLease]
      return {
        words: `${scenarioWords(scenario)}: ${said.toFixed(1)} commands a lease, goal ≤ ${goal}`,
        met: said <= goal,
      }
    }),
    ...memory.map(({ maxBytes, bytes, mostBytes }) => ({
      words:
        `maxBytes ${megabytes(maxBytes)}: ${megabytes(bytes)} in the end, ${megabytes(mostBytes)} at most, ` +
        `goal ± ${BYTES_GOAL * 100} %`,
      met: bytes >= maxBytes * (1 - BYTES_GOAL) && mostBytes <= maxBytes * (1 + BYTES_GOAL),
    })),
    ...ratios
      .filter(({ trace }) => TRACES[trace].judged)
      .map(({ trace, entries, ours, lru }) => ({
        words:
          `hits over ${TRACES[trace].title}, ${entries.toLocaleString('en-US')} entries: ${percent(ours)}, ` +
          `goal ≥ ${percent(lru)} of lru-cache`,
        met: ours >= lru,
      })),
  ]
}

/** What was read in a scenario, for people. */
export function scenarioWords({ entries, perSecond, pattern, changes }) {
  const read = `${entries.toLocaleString('en-US')} entries, ${perSecond.toLocaleString('en-US')} reads a second`
  return `${read}, ${pattern === 'bursts' ? 'in bursts' : 'at random'}${changes ? ', one changed in each lease' : ''}`
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
export const percent = (share) => `${(share * 100).toFixed(2)} %`
