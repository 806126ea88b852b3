// The load test's part of the README, made from its results.

import { summaryTable } from './report.mjs'

/** What the README has to say about these results. */
export function readmePart({
  date,
  node,
  platform,
  cores,
  instances,
  seconds,
  rate,
  sourceMs,
  summary,
}) {
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores: ${instances} servers, ${rate} chats a second, a source
that takes ${sourceMs.least} to ${sourceMs.most} ms. Two runs of ${seconds} s each way, in turn; times and shares are medians, the
rest are sums. Servers, proxy, Redis and Postgres share the cores, so compare the columns, not the milliseconds.

<!-- prettier-ignore-start -->
${summaryTable(summary)}
<!-- prettier-ignore-end -->

`
}
