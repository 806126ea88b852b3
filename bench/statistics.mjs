// What many samples come to. Sides are compared round by round: in a round all were measured one after the other, so what
// slowed the machine down then slowed them all.

import { median, percentile } from '../dev/statistics.mjs'

/** @param {number[]} values @returns {Spread} @typedef {{ median: number, p10: number, p90: number }} Spread */
export function spreadOf(values) {
  return { median: median(values), p10: percentile(values, 0.1), p90: percentile(values, 0.9) }
}

/** Round by round. @param {number[]} ones @param {number[]} others @returns {number[]} */
export function ratiosOf(ones, others) {
  return inRounds(ones, others, (one, other) => one / other)
}

/** Round by round. @param {number[]} ones @param {number[]} others @returns {number[]} */
export function differencesOf(ones, others) {
  return inRounds(ones, others, (one, other) => one - other)
}

function inRounds(ones, others, combined) {
  if (ones.length !== others.length)
    throw new Error(`rounds of ${ones.length} and ${others.length} samples do not compare`)
  return ones.map((one, round) => combined(one, others[round]))
}

/**
 * The sides in the order of this round. Each comes first, last and between equally often, and every other round goes
 * backwards, so that none always comes after the same one.
 *
 * @template T
 * @param {T[]} sides
 * @param {number} round
 * @returns {T[]}
 */
export function orderOf(sides, round) {
  const turn = Math.floor(round / 2) % sides.length
  const turned = [...sides.slice(turn), ...sides.slice(0, turn)]
  return round % 2 === 0 ? turned : turned.toReversed()
}

/**
 * Collects samples: of each side a list of numbers for each measure, one for each round.
 *
 * @returns {{ samples: Samples, add(side: string, measures: Record<string, number>): void }}
 *
 * @typedef {Record<string, Record<string, number[]>>} Samples
 */
export function sampling() {
  const samples = {}
  return {
    samples,
    add(side, measures) {
      samples[side] ??= {}
      for (const [measure, value] of Object.entries(measures))
        (samples[side][measure] ??= []).push(value)
    },
  }
}
