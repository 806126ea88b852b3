// The picture's points: how old the oldest read of each instance was, slice of time by slice of time.

import { supersededAt } from './history.mjs'
import { FIELDS, unpacked } from './journal.mjs'

const SLICES = 240
const STAND_INS = ['stale', 'fallback', 'unknown', 'failed']

/**
 * @param {import('./history.mjs').History} history
 * @param {{ fromMs: number, seconds: number }} window
 * @returns {number[][]} by instance and slice, in whole milliseconds: how long before the read began the version it gave
 *   had been superseded; 0 for a fresh one, null where no read began
 */
export function stalenessOf(history, { fromMs, seconds }) {
  const superseded = supersededAt(history)
  const slicesPerMs = SLICES / (seconds * 1000)
  return history.instances.map(({ records }) => {
    const oldest = Array.from({ length: SLICES }, () => null)
    for (let at = 0; at < records.length; at += FIELDS) {
      const slice = Math.floor((records[at] - fromMs) * slicesPerMs)
      const { version, tier } = unpacked(records[at + 2])
      if (slice < 0 || slice >= SLICES || STAND_INS.includes(tier)) continue
      const staleMs = Math.max(0, Math.ceil(records[at] - superseded[version]))
      oldest[slice] = Math.max(oldest[slice] ?? 0, staleMs)
    }
    return oldest
  })
}
