// The storm's part of the README, made from its results.

import { tableOf } from '../markdown.mjs'
import { rowsOf } from './report.mjs'

/** What the README has to say about these results (docs/storm/results.json). @returns {string} Markdown */
export function readmePart(results) {
  const { date, node, platform, cores, cpu, instances, readers, seconds, seed, sourceMs } = results
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores (${cpu}): ${instances} instances with ${readers} readers each, at least
${seconds} s a column, seed ${seed}, a source that takes ${sourceMs.least} to ${sourceMs.most} ms. All processes share the cores, so compare the columns, not
the milliseconds.

<!-- prettier-ignore-start -->
${tableOf(rowsOf(results))}
<!-- prettier-ignore-end -->

`
}
