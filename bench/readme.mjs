// The benchmark's part of the README, made from its results.

import { tableOf } from '../dev/markdown.mjs'
import { growthRowsOf, rowsOf } from './report.mjs'

/** What the README has to say about these results (bench/results.json). @returns {string} Markdown */
export function readmePart(results) {
  const { date, node, platform, cores, cpu, store, promptBytes, versions } = results
  const comparisons = results.comparisons.filter(({ aside }) => !aside)
  const beside = Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')
  const growth = growthRowsOf(results)
  const tables = [
    comparisons.length > 0 && tableOf(rowsOf({ comparisons })),
    growth.length > 0 && tableOf(growth),
  ].filter(Boolean)
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores (${cpu}), ${store} and all else on the same machine; ${beside}.
A prompt of ${promptBytes.toLocaleString('en-US')} bytes. No network lies between, and all processes share the cores, so compare the ratios, not the times.

<!-- prettier-ignore-start -->
${tables.join('\n\n')}
<!-- prettier-ignore-end -->

`
}
