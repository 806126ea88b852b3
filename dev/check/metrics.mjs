// The README's table of metrics, and what `metrics()` gives.

import { compareNames, tableUnder } from './tables.mjs'

const TYPES = ['counter', 'gauge', 'histogram', 'summary']

/**
 * @param {string} readme
 * @param {string} exposition in Prometheus' text format; empty if there are no metrics
 * @returns {string[]} what is not so, one line each
 */
export function wrongMetrics(readme, exposition) {
  const types = new Map(lines(exposition, 'TYPE'))
  const helps = lines(exposition, 'HELP')
  const rows = [...tableUnder(readme, '## Metrics')].map((cells) =>
    cells.map((cell) => cell.replaceAll('`', '')),
  )
  const names = [...types.keys()]
  const wrong = [
    ...compareNames(
      'README metrics',
      rows.map(([name]) => name),
      names,
    ),
    ...compareNames(
      'HELP lines of metrics()',
      helps.filter(([, text]) => text).map(([name]) => name),
      names,
    ),
    ...compareNames('TYPE lines of metrics()', names, samples(exposition, names)),
  ]
  for (const [name, type] of types) {
    if (!TYPES.includes(type)) wrong.push(`metrics(): ${name} has the type ${type}`)
  }
  for (const [name, type] of rows) {
    if (types.has(name) && types.get(name) !== type)
      wrong.push(`README metrics: ${name} has the type ${types.get(name)}`)
  }
  return wrong
}

/** The name and the text of each line of a kind. */
function lines(exposition, kind) {
  const found = exposition.matchAll(new RegExp(`^# ${kind} (\\w+) ?(.*)$`, 'gm'))
  return [...found].map(([, name, text]) => [name, text])
}

/** What the values are of; those of a histogram have its name and an ending. */
function samples(exposition, names) {
  const found = [...exposition.matchAll(/^(\w+)[{ ]/gm)].map(([, name]) => name)
  const families = found.map((name) => {
    const family = name.replace(/_(bucket|sum|count)$/, '')
    return names.includes(family) ? family : name
  })
  return [...new Set(families)]
}
