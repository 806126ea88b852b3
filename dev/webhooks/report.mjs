// What the commits come to: a table, for people and for docs/WEBHOOKS.md.

import { tableOf } from '../markdown.mjs'
import { median, percentile } from '../statistics.mjs'

/** The guarantee, and what the way to it may take on a machine with other things to do. */
const LIMIT_MS = 1000
const STEPS = [
  ['webhookMs', 'until the webhook arrives'],
  ['answeredMs', 'until it is answered'],
  ['lastMs', 'until the last instance serves the change'],
]

/** What was broken; empty if every change reached all instances in time. @returns {string[]} */
export function problemsOf({ trials, refused, wentBack }) {
  const lost = trials.filter((trial) => STEPS.some(([step]) => trial[step] === null)).length
  const late = trials.filter(({ lastMs }) => lastMs > LIMIT_MS).length
  return [
    trials.length === 0 && 'no commits',
    lost > 0 && `${lost} changes did not reach all instances`,
    late > 0 && `${late} changes took longer than ${LIMIT_MS} ms`,
    refused > 0 && `${refused} webhooks were refused`,
    wentBack > 0 && `${wentBack} times an instance went back to an earlier value`,
  ].filter(Boolean)
}

/** @returns {string[][]} rows of cells; the first has the columns' titles */
export function rowsOf({ trials }) {
  const rows = STEPS.map(([step, title]) => {
    const times = trials.map((trial) => trial[step]).filter((ms) => ms !== null)
    if (times.length === 0) return [title, '-', '-', '-', '-']
    const values = [
      median(times),
      percentile(times, 0.95),
      percentile(times, 0.99),
      Math.max(...times),
    ]
    return [title, ...values.map((ms) => ms.toFixed(1))]
  })
  return [['from the COMMIT (ms)', 'median', 'P95', 'P99', 'max'], ...rows]
}

/** What the document has to say about these results (docs/webhooks.json). @returns {string} Markdown */
export function documentPart(results) {
  const { date, node, platform, cores, size, trials, refused } = results
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores: ${trials.length.toLocaleString('en-US')} commits of one row each in a real Postgres (PGlite), read all the time
by ${size} processes, over a real Redis and PostgREST on the same machine. ${refused.toLocaleString('en-US')} webhooks were refused.

<!-- prettier-ignore-start -->
${tableOf(rowsOf(results))}
<!-- prettier-ignore-end -->

`
}
