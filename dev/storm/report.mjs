// What the storms come to: one table, for people and for the README.

import { brokenPromises } from './checker.mjs'
import { COLUMNS } from './columns.mjs'

/** Why the package failed; empty if it kept every promise. What it is compared with may break them all. */
export function problemsOf({ runs }) {
  return runs
    .filter(({ program }) => program === 'ours')
    .flatMap(({ column, faults, found, entries }) => {
      const where = `${COLUMNS[column].title}, ${faults ? 'with' : 'without'} faults`
      return [
        ...brokenPromises(found).map((words) => `${where}: ${words}`),
        ...(entries ? brokenPromises(entries.found) : []).map(
          (words) => `${where}, resources: ${words}`,
        ),
      ]
    })
}

/**
 * @param {{ runs: object[] }} results
 * @returns {string[][]} rows of cells; the first has the columns' titles
 */
export function rowsOf({ runs }) {
  const names = Object.keys(COLUMNS).filter((name) => runs.some(({ column }) => column === name))
  const part = (faults, words, rows, partOf = (run) => run) => {
    const those = names
      .map((name) => runs.find((run) => run.column === name && run.faults === faults))
      .map((run) => run && partOf(run))
    if (!those.some(Boolean)) return []
    return rows.map(([label, cell]) => [
      `${words}: ${label}`,
      ...those.map((run) => (run ? cell(run) : '-')),
    ])
  }
  return [
    ['', ...names.map((name) => COLUMNS[name].title)],
    ...part(false, 'nothing breaks', [...READS, ...TIMES('calm', ''), ...COSTS]),
    ...part(true, 'faults', [
      ...READS,
      ...FAULTS,
      ...TIMES('calm', ' in calm phases'),
      ...TIMES('faults', ' while something is broken'),
    ]),
    ...part(
      false,
      'resources, nothing breaks',
      [...READS, ...LAST_OLD('calm', ''), ...ENTRY_COSTS],
      ofEntries,
    ),
    ...part(
      true,
      'resources, faults',
      [
        ...READS,
        ...FAULTS,
        ...LAST_OLD('calm', ' in calm phases'),
        ...LAST_OLD('faults', ' while something is broken'),
      ],
      ofEntries,
    ),
  ]
}

const ofEntries = ({ entries }) => entries

const standIns = ({ stale = 0, fallback = 0 }) => grouped(stale + fallback)

const READS = [
  ['reads', ({ found }) => grouped(found.reads)],
  [
    'invalidations (of them rejected)',
    ({ invalidations, propagation }) => `${invalidations} (${propagation.rejected})`,
  ],
  [
    '**old reads, begun more than a second after the invalidation**',
    ({ found }) => grouped(found.bound),
  ],
  ['the oldest, after the invalidation', ({ found }) => inMs(found.oldestMs)],
  ['**reads that went back in time**', ({ found }) => grouped(found.monotonic)],
  ['old reads on the very instance that had invalidated', ({ found }) => grouped(found.told)],
  [
    'reads that a receipt of all instances had ruled out (receipts)',
    ({ found }) => (found.receipts ? `${grouped(found.proven)} (${found.receipts})` : '-'),
  ],
  ['reads that hung (more than 2.75 s)', ({ found }) => grouped(found.hung)],
]

const FAULTS = [
  [
    'first reads after a freeze that were that old',
    ({ found: { wakes } }) => `${wakes.filter(({ stale }) => stale).length} of ${wakes.length}`,
  ],
  ['reads labelled as stand-ins', ({ found: { tiers } }) => standIns(tiers)],
]

const LAST_OLD = (phase, when) => [
  [
    `last old read after an invalidation${when}, P50 / P99 / max`,
    ({ propagation: { [phase]: times } }) => quantiles(times.edits, times.lastOldMs),
  ],
]

const TIMES = (phase, when) => [
  ...LAST_OLD(phase, when),
  [
    `first new answer of the slowest instance${when}, P50 / P99 / max`,
    ({ propagation: { [phase]: times } }) => quantiles(times.edits, times.firstNewMs),
  ],
]

const COSTS = [
  [
    'store commands per second and instance',
    ({ storeCommandsPerSecond }) => storeCommandsPerSecond.toFixed(1),
  ],
  [
    'source reads per invalidation',
    ({ sourceReadsPerInvalidation }) => sourceReadsPerInvalidation.toFixed(1),
  ],
]

const ENTRY_COSTS = [
  ['source reads per changed entry', ({ sourceReadsPerEdit }) => sourceReadsPerEdit.toFixed(1)],
]

function quantiles(edits, { p50, p99, max }) {
  return edits === 0 ? '-' : `${[p50, p99, max].map(digits).join(' / ')} ms`
}

/** An instance that never saw an edit has no number; JSON gives Infinity back as null. */
function digits(value) {
  if (value === null || value === Infinity) return 'never'
  return value < 10 ? value.toFixed(1) : grouped(Math.round(value))
}

const inMs = (value) => `${digits(value)} ms`
const grouped = (number) => number.toLocaleString('en-US')
