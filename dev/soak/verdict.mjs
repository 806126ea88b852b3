// Whether what a process holds grew: the median of the last fifth of its samples beside that of the second fifth. The first
// is for what is made once: threads, pools, compiled code.

import { median } from '../statistics.mjs'

/** How much more the last fifth may hold, for what is kept on purpose and comes and goes: pages of freed memory, pools. */
export const ALLOWED = { rssMiB: 16, heapMiB: 2, descriptors: 8, threads: 4 }

/** @param {Record<keyof ALLOWED, number>[]} samples in the order of time */
export function verdictOf(samples) {
  const fifth = Math.floor(samples.length / 5)
  if (fifth === 0) throw new Error(`${samples.length} samples are too few`)
  return Object.fromEntries(
    Object.entries(ALLOWED).map(([what, allowed]) => {
      const values = samples.map((sample) => sample[what])
      const second = median(values.slice(fifth, 2 * fifth))
      const last = median(values.slice(-fifth))
      return [what, { second, last, allowed, leak: last - second > allowed }]
    }),
  )
}

/** @returns {string[]} what is wrong, one line each */
export function problemsOf({ phases }) {
  return phases.flatMap(({ name, error, held }) => {
    if (error) return [error]
    return Object.entries(held)
      .filter(([, { leak }]) => leak)
      .map(([what, { second, last }]) => {
        return `${name}: ${what} grew from ${second.toFixed(1)} to ${last.toFixed(1)}`
      })
  })
}
