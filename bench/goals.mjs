// What is compared with what, and the goals: limits that were set before anything was measured. A comparison is made round
// by round, and judged by its median.

import { differencesOf, ratiosOf, spreadOf } from './statistics.mjs'
import { TITLES } from './titles.mjs'

/** What each thread more has to give, while there are cores for it. */
const SHARE_OF_A_CORE = 0.75
const UNITS = {
  ns: 'ns',
  p50Us: 'µs',
  p99Us: 'µs',
  cpuUs: 'µs',
  loopUs: 'µs',
  readyMs: 'ms',
  firstPromptMs: 'ms',
  bytes: 'bytes',
  residentBytes: 'bytes',
  firstResidentBytes: 'bytes',
  perThousand: '',
  readsPerSecond: '/s',
}

const hit = (side, other, goal) => ({
  part: 'hits',
  label: `hit, ${TITLES[side]}`,
  measure: 'ns',
  side,
  other,
  goal,
})

const STORE_READ = {
  loopUs: ['event loop', { most: 1 / 10 }],
  cpuUs: ['CPU', { most: 1 / 3 }],
  p50Us: ['p50', { most: 0.6 }],
  p99Us: ['p99', { most: 1 }],
}
const storeReads = (side, other, { judged }) =>
  Object.entries(STORE_READ).map(([measure, [words, goal]]) => ({
    part: 'reads',
    label: `store read, ${TITLES[side]}: ${words}`,
    measure,
    side,
    other,
    goal: judged ? goal : null,
    aside: !judged,
  }))

const commands = (side, other, { words = '', aside = true } = {}) => ({
  part: 'commands',
  label: `store commands per 1,000 reads, 200 a second${words}`,
  measure: 'perThousand',
  side,
  other,
  aside,
})

const workers = (count, goal) => ({
  part: 'growth',
  label: `hits of ${count} worker threads`,
  measure: 'readsPerSecond',
  side: `workers ${count}`,
  other: 'workers 1',
  goal,
})

/**
 * @param {number} cores
 * @returns {Wanted[]}
 *
 * @typedef {object} Wanted `side` by itself, or compared with `other`: as a ratio, or where `more`, as a difference
 * @property {string} part
 * @property {string} label
 * @property {string} measure
 * @property {string} side
 * @property {string} [other]
 * @property {boolean} [more]
 * @property {Goal | null} [goal]
 * @property {boolean} [aside] left out of the README
 *
 * @typedef {{ most: number } | { below: number } | { least: number }} Goal
 */
const comparisons = (cores) => [
  hit('ours', 'local', { most: 1.5 }),
  hit('oursConfig', 'local', { most: 1.5 }),
  hit('oursClass', 'local', { most: 1.5 }),
  hit('ours', 'lruCache', { below: 1 }),
  hit('ours', 'lruCacheExact', { below: 1 }),
  hit('ours', 'bentocache', { most: 1 / 50 }),
  { ...hit('ours', 'bentocacheGet', { most: 1 / 50 }), aside: true },
  hit('ours', 'bentocacheBest', { most: 1 / 50 }),
  ...storeReads('oursAsking', 'upstash', { judged: true }),
  ...storeReads('oursAsking', 'upstashRaw', { judged: true }),
  ...storeReads('oursAsking', 'libCache', { judged: false }),
  ...storeReads('oursGet', 'upstash', { judged: false }),
  {
    part: 'cold',
    label: 'cold start: import and construction',
    measure: 'readyMs',
    side: 'ours',
    goal: { most: 15 },
  },
  {
    part: 'cold',
    label: 'cold start: import and construction',
    measure: 'readyMs',
    side: 'ours',
    other: 'peer',
    aside: true,
  },
  {
    part: 'cold',
    label: 'cold start: first prompt, from Redis',
    measure: 'firstPromptMs',
    side: 'ours',
    other: 'peer',
    goal: { most: 1 },
  },
  {
    part: 'cold',
    label: 'cold start: first prompt, Redis empty',
    measure: 'firstPromptMs',
    side: 'oursEmpty',
    other: 'peerEmpty',
    goal: { most: 1 },
  },
  {
    part: 'cold',
    label: 'resident memory after 1,000 hits',
    measure: 'residentBytes',
    side: 'ours',
    other: 'bare',
    more: true,
    goal: { most: 12e6 },
  },
  {
    part: 'cold',
    label: 'resident memory after the first prompt',
    measure: 'firstResidentBytes',
    side: 'ours',
    other: 'peer',
    more: true,
    aside: true,
  },
  { part: 'cold', label: 'the `.node` file', measure: 'bytes', side: 'file', goal: { most: 5e6 } },
  commands('ours', 'upstash', { aside: false }),
  commands('ours', 'libCache'),
  commands('oursAsking', 'upstash', { words: `, ${TITLES.oursAsking}` }),
  { ...workers(2), aside: true },
  workers(4, { least: SHARE_OF_A_CORE * Math.min(4, cores) }),
]

/**
 * @param {Record<string, import('./statistics.mjs').Samples>} samples by part; comparisons of what was not measured are left out
 * @param {{ cores: number }} machine
 * @returns {Comparison[]}
 *
 * @typedef {object} Comparison
 * @property {string} label
 * @property {string} unit of `ours` and `others`
 * @property {import('./statistics.mjs').Spread} ours
 * @property {string | null} other its title
 * @property {import('./statistics.mjs').Spread | null} others
 * @property {'value' | 'ratio' | 'difference'} by what `value` is
 * @property {import('./statistics.mjs').Spread} value
 * @property {Goal | null} goal for the median of `value`
 * @property {boolean} aside left out of the README
 */
export function comparisonsOf(samples, { cores }) {
  return comparisons(cores).flatMap((wanted) => {
    const { part, label, measure, side, other, more, goal = null, aside = false } = wanted
    const ours = samples[part]?.[side]?.[measure]
    const others = samples[part]?.[other]?.[measure]
    if (!ours || (other && !others)) return []
    const by = !other ? 'value' : more ? 'difference' : 'ratio'
    const compared = { value: () => ours, difference: differencesOf, ratio: ratiosOf }[by]
    return {
      label,
      unit: UNITS[measure],
      ours: spreadOf(ours),
      other: other ? TITLES[other] : null,
      others: other ? spreadOf(others) : null,
      by,
      value: spreadOf(compared(ours, others)),
      goal,
      aside,
    }
  })
}

/** @param {Comparison} comparison @returns {boolean | null} null where there is no goal */
export function isMet({ value: { median }, goal }) {
  if (goal === null) return null
  const { most = Infinity, below = Infinity, least = -Infinity } = goal
  return median <= most && median < below && median >= least
}
