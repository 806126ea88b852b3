// The soak's part of docs/ROBUSTNESS.md, made from its results.

import { tableOf } from '../markdown.mjs'
import { CACHES_AT_ONCE, PHASES, RECONNECTS_EACH } from './phases.mjs'
import { ALLOWED } from './verdict.mjs'

const COLUMNS = [
  ['resident MiB', 'rssMiB', 1],
  ['heap MiB', 'heapMiB', 2],
  ['descriptors', 'descriptors', 0],
  ['threads', 'threads', 0],
]

/** What the document has to say about these results (docs/soak.json). @returns {string} Markdown */
export function documentPart(results) {
  const { date, node, platform, cores, steps, phases } = results
  const { rssMiB, heapMiB, descriptors, threads } = ALLOWED
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores. Each row is a process of its own that was looked at ${steps} times,
while it was idle. \`a → b\`: the median of the second fifth of these, and that of the last. More than ${rssMiB} MiB resident,
${heapMiB} MiB of heap, ${descriptors} descriptors or ${threads} threads between the two would be a leak. A cache waits twice as long
before each reconnect while its streams end at once, so ${CACHES_AT_ONCE} caches at a time reconnect ${RECONNECTS_EACH} times each and make room for others.

<!-- prettier-ignore-start -->
${tableOf([['', 'how often', ...COLUMNS.map(([title]) => title), 'verdict'], ...phases.map(rowOf)])}
<!-- prettier-ignore-end -->

`
}

function rowOf({ name, count, error, held }) {
  const { title } = PHASES[name]
  const often = count.toLocaleString('en-US')
  if (error) return [title, often, ...COLUMNS.map(() => '-'), 'failed']
  const cells = COLUMNS.map(([, what, digits]) => {
    const { second, last } = held[what]
    return `${second.toFixed(digits)} → ${last.toFixed(digits)}`
  })
  return [title, often, ...cells, COLUMNS.some(([, what]) => held[what].leak) ? 'leak' : 'flat']
}
