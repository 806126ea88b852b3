// What a run comes to: two tables, for people and for the README, and which goals were met.

import { isMet } from './goals.mjs'
import { plain } from './titles.mjs'

const HEAD = ['', 'this package', 'beside it', 'median (p10 to p90)', 'goal', '']
const SMALL_RATIO = 0.5
const SIGNS = { most: '≤', below: '<', least: '≥' }
const VERDICTS = { true: 'met', false: '**not met**' }

/**
 * The comparisons.
 *
 * @param {{ comparisons: import('./goals.mjs').Comparison[] }} results
 * @returns {string[][]} rows of cells; the first has the columns' titles
 */
export function rowsOf({ comparisons }) {
  return [HEAD, ...comparisons.map(rowOf)]
}

function rowOf(comparison) {
  const { label, unit, ours, other, others, goal } = comparison
  return [
    label,
    amount(ours.median, unit),
    other === null ? '-' : `${other}: ${amount(others.median, unit)}`,
    valueOf(comparison),
    goal === null ? '' : goalOf(comparison),
    VERDICTS[isMet(comparison)] ?? '',
  ]
}

function valueOf({ unit, by, value: { median, p10, p90 } }) {
  if (by === 'ratio') {
    // All three in one form, that of the median.
    const form = median < SMALL_RATIO ? fraction : (number) => number.toFixed(2)
    return `${form(median)} (${form(p10)} to ${form(p90)})`
  }
  const sign = by === 'difference' && median > 0 ? '+' : ''
  return `${sign}${amount(median, unit)} (${digits(p10, unit)} to ${digits(p90, unit)})`
}

function goalOf({ unit, by, goal }) {
  const [[kind, limit]] = Object.entries(goal)
  const sign = SIGNS[kind]
  if (by === 'ratio') return `${sign} ${limit < SMALL_RATIO ? fraction(limit) : limit}`
  return `${sign} ${by === 'difference' ? '+' : ''}${amount(limit, unit)}`
}

/**
 * Growth with instances; no rows where it was not measured.
 *
 * @param {{ parts: object }} results
 * @returns {string[][]}
 */
export function growthRowsOf({ parts: { growth } }) {
  const sizes = sizesOf(growth)
  if (sizes.length === 0) return []
  const rates = (spreads) => [
    amount(spreads.readsPerSecond.median, ''),
    amount(spreads.commandsPerSecond.median, ''),
  ]
  return [
    [
      'instances',
      'this package: reads/s',
      'commands/s',
      '`@upstash/redis` `get`: reads/s',
      'commands/s',
    ],
    ...sizes.map((size) => [
      String(size),
      ...rates(growth[`ours ${size}`]),
      ...rates(growth[`upstash ${size}`]),
    ]),
  ]
}

/** How many instances were measured, in order. @param {object} [growth] @returns {number[]} */
export function sizesOf(growth = {}) {
  return Object.keys(growth)
    .filter((side) => side.startsWith('ours '))
    .map((side) => Number(side.slice('ours '.length)))
    .toSorted((one, other) => one - other)
}

/** @returns {{ met: string[], unmet: string[] }} the goals in words */
export function verdictsOf(results) {
  const said = (wanted) =>
    results.comparisons
      .filter((comparison) => isMet(comparison) === wanted)
      .map((comparison) => {
        const { label, other } = comparison
        const beside = other === null ? '' : ` beside ${other}`
        return plain(`${label}: ${valueOf(comparison)}${beside}, goal ${goalOf(comparison)}`)
      })
  return { met: said(true), unmet: said(false) }
}

/** A small share: 1/120 says more than 0.0083. */
function fraction(number) {
  const parts = 1 / number
  return number > 0 ? `1/${parts < 9.95 ? trimmed(parts) : grouped(parts)}` : '0'
}

/** A number with its unit. */
export function amount(number, unit) {
  const shown = { bytes: ' MB', '': '' }[unit] ?? (unit.startsWith('/') ? unit : ` ${unit}`)
  return `${digits(number, unit)}${shown}`
}

const digits = (number, unit) => trimmed(unit === 'bytes' ? number / 1e6 : number)
const trimmed = (number) =>
  Math.abs(number) < 99.95 ? String(Number(number.toFixed(1))) : grouped(number)
const grouped = (number) => Math.round(number).toLocaleString('en-US')
