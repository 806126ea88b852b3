// How long each edit took to reach every instance, from the moment its invalidation resolved.
//
// `lastOldMs`: until the last read began, on any instance, that gave an older version. `firstNewMs`: until the slowest
// instance ended its first read that gave this version or a later one. Per instance and version the last beginning and
// the first ending are kept, so both are exact over all reads.

import { overlaps, promisedBy } from './history.mjs'
import { FIELDS, unpacked } from './journal.mjs'

const STAND_INS = ['stale', 'fallback', 'unknown', 'failed']

/**
 * @param {import('./history.mjs').History} history
 * @returns {{ calm: Times, faults: Times, rejected: number }} an edit is of the `faults` if there was one between its
 *   beginning and the end of the bound; those whose invalidation rejected are only counted, and those that
 *   waited for the receipt of all instances left out
 *
 * @typedef {{ edits: number, lastOldMs: Quantiles, firstNewMs: Quantiles }} Times
 * @typedef {{ p50: number | null, p99: number | null, max: number | null }} Quantiles
 */
export function propagationOf(history) {
  const { calm, faults, rejected } = timesOf(history)
  return { calm: summed(calm), faults: summed(faults), rejected }
}

/** The same, not summed up: `{ lastOldMs, firstNewMs }` of each. */
export function timesOf(history) {
  const ends = history.instances.map(({ records }) => endsOf(records, history.last))
  const times = { calm: [], faults: [] }
  let rejected = 0
  for (const invalidation of history.invalidations) {
    const { calledMs, resolvedMs, receipt } = invalidation
    if (resolvedMs === null) {
      rejected += 1
      continue
    }
    // By then the prompt is everywhere: nothing is left to be measured.
    if (receipt !== null) continue
    const version = promisedBy(invalidation, history.edits)
    const lastOld = Math.max(...ends.map(({ lastBegan }) => lastBegan[version - 1]))
    const firstNew = Math.max(...ends.map(({ firstEnded }) => firstEnded[version]))
    const span = { fromMs: calledMs, toMs: resolvedMs + history.limits.boundMs }
    const hit = history.outages.some((outage) => overlaps(span, outage))
    times[hit ? 'faults' : 'calm'].push({
      lastOldMs: Math.max(0, lastOld - resolvedMs),
      firstNewMs: Math.max(0, firstNew - resolvedMs),
    })
  }
  return { ...times, rejected }
}

/** By version: when the last read began that gave it or an older one, when the first ended that gave it or a newer one. */
function endsOf(records, last) {
  const lastBegan = new Float64Array(last + 1).fill(-Infinity)
  const firstEnded = new Float64Array(last + 1).fill(Infinity)
  for (let at = 0; at < records.length; at += FIELDS) {
    const { version, tier } = unpacked(records[at + 2])
    if (STAND_INS.includes(tier)) continue
    lastBegan[version] = Math.max(lastBegan[version], records[at])
    firstEnded[version] = Math.min(firstEnded[version], records[at + 1])
  }
  for (let version = 1; version <= last; version += 1) {
    lastBegan[version] = Math.max(lastBegan[version], lastBegan[version - 1])
    const newer = last - version
    firstEnded[newer] = Math.min(firstEnded[newer], firstEnded[newer + 1])
  }
  return { lastBegan, firstEnded }
}

/** @returns {Times} */
export function summed(times) {
  const quantiles = (name) => {
    const sorted = times.map((time) => time[name]).toSorted((one, other) => one - other)
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]
    return { p50: at(0.5) ?? null, p99: at(0.99) ?? null, max: sorted.at(-1) ?? null }
  }
  return {
    edits: times.length,
    lastOldMs: quantiles('lastOldMs'),
    firstNewMs: quantiles('firstNewMs'),
  }
}
