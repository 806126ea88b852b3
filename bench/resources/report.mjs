// What a run comes to: a table for each part, for people and for docs/RESOURCES.md.

import { tableOf } from '../../dev/markdown.mjs'
import { amount } from '../report.mjs'
import { commandGoalOf, megabytes, percent, scenarioWords, verdictsOf } from './goals.mjs'
import { TRACES } from './traces.mjs'

/** @param {object} results @returns {Record<string, string[][]>} rows of cells by part; the first has the columns' titles */
export function rowsOf({ hits = [], commands = [], memory = [], ratios = [] }) {
  const tables = {
    hits: [
      ['a hit', 'median (p10 to p90)', 'beside the prompt', 'goal'],
      ...hits.map(({ title, ns, ratio, goal }) => [
        title,
        `${amount(ns.median, 'ns')} (${amount(ns.p10, '')} to ${amount(ns.p90, '')})`,
        ratio === null
          ? '-'
          : `${ratio.median.toFixed(2)} (${ratio.p10.toFixed(2)} to ${ratio.p90.toFixed(2)})`,
        goal === null ? '' : `≤ ${goal}`,
      ]),
    ],
    commands: [
      ['entries and reads', 'commands a lease', 'as billed', 'most in one', 'goal'],
      ...commands.map((scenario) => [
        scenarioWords(scenario),
        scenario.perLease.toFixed(1),
        scenario.billedPerLease.toFixed(1),
        scenario.most,
        `≤ ${commandGoalOf(scenario)}`,
      ]),
    ],
    memory: [
      [
        '`maxBytes`',
        'counted in the end',
        'at most',
        'for each byte of a value',
        'resident memory',
      ],
      ...memory.map(({ maxBytes, bytes, mostBytes, perValueByte, residentBytes }) => [
        megabytes(maxBytes),
        `${megabytes(bytes)} (${percent(bytes / maxBytes)})`,
        percent(mostBytes / maxBytes),
        perValueByte.toFixed(2),
        `+${megabytes(residentBytes)}`,
      ]),
    ],
    ratios: [
      ['reads', 'entries', 'this package', '`lru-cache`', 'difference'],
      ...ratios.map(({ trace, entries, ours, lru }) => [
        TRACES[trace].title,
        entries.toLocaleString('en-US'),
        percent(ours),
        percent(lru),
        `${ours >= lru ? '+' : ''}${((ours - lru) * 100).toFixed(2)}`,
      ]),
    ],
  }
  return Object.fromEntries(Object.entries(tables).filter(([, rows]) => rows.length > 1))
}

/**
 * @param {object | null} results bench/resources/results.json; null before there are any
 * @returns {string} Markdown
 */
export function documentPart(results) {
  if (results === null) return '\nNot measured yet.\n\n'
  const { date, node, platform, cores, cpu, store, versions, ratios = [] } = results
  const unmet = verdictsOf(results).filter(({ met }) => !met)
  const [{ keys, reads } = {}] = ratios
  const read = keys
    ? ` Hit ratios are over ${reads.toLocaleString('en-US')} reads of ${keys.toLocaleString('en-US')} keys, in points where they differ.`
    : ''
  const goals =
    unmet.length === 0
      ? 'All goals were met.'
      : `Goals that were not met:\n\n${unmet.map(({ words }) => `- ${words}`).join('\n')}`
  return `
${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores (${cpu}), ${store} and all else on the same machine; lru-cache ${versions['lru-cache']}.${read}

${goals}

<!-- prettier-ignore-start -->
${Object.values(rowsOf(results)).map(tableOf).join('\n\n')}
<!-- prettier-ignore-end -->

`
}
