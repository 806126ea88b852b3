// The fault matrix' part of docs/ROBUSTNESS.md, made from its results.

import { tableOf } from '../markdown.mjs'

const PLACES = { store: 'Redis', source: 'Supabase', both: 'both' }

/** What the document has to say about these results (dev/matrix/results.json). @returns {string} Markdown */
export function documentPart(results) {
  const { date, node, platform, cores, cpu, load, rounds, limits, cells } = results
  const uncured = cells.some(({ cured }) => !cured)
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores (${cpu}), of which others took a part (load ${load}); all of the
stack on the same machine. Each number is the longest of ${rounds} rounds, at a \`redisTimeoutMs\` of ${limits.redisTimeoutMs} and
a \`sourceTimeoutMs\` of ${limits.sourceTimeoutMs}.

<!-- prettier-ignore-start -->
${tableOf(rowsOf(cells))}
<!-- prettier-ignore-end -->
${uncured ? '\nWhere there is no time in the last column, the fault could not be undone on this machine.\n' : ''}
`
}

/** @param {object[]} cells the worst of each over the rounds @returns {string[][]} rows of cells; the first has the titles */
export function rowsOf(cells) {
  return [
    [
      'what is wrong',
      'with',
      'longest read',
      'longest invalidation',
      'longest `get`, `set`, `del`',
      'tiers, of a cache with a prompt',
      'tiers, of a new one',
      'right again after',
    ],
    ...cells.map((cell) => [
      cell.fault,
      PLACES[cell.target],
      inMs(cell.longestReadMs),
      inMs(cell.longestInvalidationMs),
      inMs(cell.longestValueMs),
      cell.hot.join(', '),
      cell.cold.join(', '),
      cell.recoveredMs === null ? '-' : inMs(cell.recoveredMs),
    ]),
  ]
}

const inMs = (value) => `${Math.round(value).toLocaleString('en-US')} ms`
