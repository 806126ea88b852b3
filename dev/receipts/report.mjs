// What the trials come to: a table, for people and for docs/ROBUSTNESS.md.

import { tableOf } from '../markdown.mjs'
import { percentile } from '../statistics.mjs'
import { LEASE_MS } from './fleet.mjs'

/** What a receipt may take besides a lease. */
const ROUND_TRIP_MS = 100
const PARTS = [0.5, 0.99, 1]

/** What was broken; empty if every receipt was proven in time and none was contradicted. @returns {string[]} */
export function problemsOf({ trials, contradicted }) {
  const unproven = trials.filter(({ receipt }) => receipt !== 'proven').length
  const late = trials.filter(({ ms }) => ms > LEASE_MS + ROUND_TRIP_MS).length
  return [
    trials.length === 0 && 'no trials',
    unproven > 0 && `${unproven} receipts proved nothing`,
    late > 0 && `${late} receipts took longer than ${LEASE_MS + ROUND_TRIP_MS} ms`,
    contradicted > 0 && `${contradicted} reads that a receipt had ruled out`,
  ].filter(Boolean)
}

/** @returns {string[][]} rows of cells; the first has the columns' titles */
export function rowsOf({ size, trials }) {
  const kinds = ['frozen', 'killed'].flatMap((how) =>
    Array.from({ length: size + 1 }, (_, victims) => ({ how, victims })),
  )
  const rows = kinds.map(({ how, victims }) => {
    const those = trials.filter((trial) => trial.how === how && trial.victims === victims)
    const times = those.filter(({ receipt }) => receipt === 'proven').map(({ ms }) => ms)
    return [
      `${victims} of ${size} ${how}`,
      `${times.length} of ${those.length}`,
      times.length === 0
        ? '-'
        : PARTS.map((part) => Math.round(percentile(times, part))).join(' / '),
    ]
  })
  return [['', 'proven', 'after, P50 / P99 / max (ms)'], ...rows]
}

/** What the document has to say about these results (docs/receipts.json). @returns {string} Markdown */
export function documentPart(results) {
  const { date, node, platform, cores, fleets, size, reads, contradicted, trials } = results
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores: ${trials.length.toLocaleString('en-US')} receipts in ${fleets} fleets side by side, each of one instance that
invalidates and ${size} that read all the time, of which some are stopped (SIGSTOP) or killed (SIGKILL) at random just before the edit. Times from
the call to the receipt. Killed instances stay on the list for five minutes, so that a receipt of their fleet takes a lease meanwhile.
Of ${reads.toLocaleString('en-US')} reads, ${contradicted.toLocaleString('en-US')} contradicted a receipt.

<!-- prettier-ignore-start -->
${tableOf(rowsOf(results))}
<!-- prettier-ignore-end -->

`
}
