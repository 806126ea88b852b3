// The histories of a storm's entries, one of each, for the same checker as the prompt's; and what they come to together.

import { checkHistory } from '../checker.mjs'
import { recordsOfEntry } from '../journal.mjs'
import { summed, timesOf } from '../propagation.mjs'
import { ENTRIES, covers } from './entries.mjs'

/**
 * @param {object} storm of the entries
 * @param {number} storm.count how many there were, the first of all
 * @param {import('./truth.mjs').Edit[]} storm.edits in the source's order; the first is one of every entry
 * @param {Array<object>} storm.invalidations as `history.mjs` has them; `what` as `cache.invalidate()` takes it, and `versions` of
 *   the edit that it was made for, in place of `version`
 * @param {Array<{ records: Float64Array, pending: object[], pauses: object[], evicts: boolean }>} storm.instances `pending`:
 *   `{ entry, beganMs }`
 * @param {object} rest of the histories, the same for all
 * @returns {import('../history.mjs').History[]} by the number of the entry
 */
export function historiesOf({ count, edits, invalidations, instances }, rest) {
  const split = instances.map(({ records }) => recordsOfEntry(records, count))
  return Array.from({ length: count }, (_, number) => {
    const versionIn = ({ versions }) => versions.find(([entry]) => entry === number)?.[1]
    const own = edits
      .map((edit) => ({ version: versionIn(edit), committedMs: edit.committedMs }))
      .filter(({ version }) => version !== undefined)
    return {
      ...rest,
      first: own[0].version,
      last: own.at(-1).version,
      edits: own,
      invalidations: invalidations
        .filter(({ what }) => covers(what, number))
        .map((invalidation) => ({ ...invalidation, version: versionIn(invalidation) ?? 0 })),
      instances: instances.map(({ pending, ...instance }, index) => ({
        ...instance,
        records: split[index][number],
        pending: pending.filter(({ entry }) => entry === number).map(({ beganMs }) => beganMs),
      })),
    }
  })
}

/**
 * @param {Parameters<typeof historiesOf>[0]} storm
 * @param {object} rest as `historiesOf` takes it
 * @returns {{ found: object, propagation: object, kinds: Record<string, number>, invalidations: number }} `found` and
 *   `propagation` as of the prompt, over all entries; `kinds`: invalidations by what they were of
 */
export function judgeEntries(storm, rest) {
  const histories = historiesOf(storm, rest)
  const found = { tiers: {}, wakes: [], examples: [], oldestMs: 0 }
  const times = { calm: [], faults: [] }
  histories.forEach((history, number) => {
    const { tiers, wakes, examples, oldestMs, ...counts } = checkHistory(history)
    for (const [property, count] of Object.entries(counts))
      found[property] = (found[property] ?? 0) + count
    for (const [tier, count] of Object.entries(tiers))
      found.tiers[tier] = (found.tiers[tier] ?? 0) + count
    found.oldestMs = Math.max(found.oldestMs, oldestMs)
    found.wakes.push(...wakes)
    found.examples.push(...examples.map((example) => ({ ...example, entry: ENTRIES[number].id })))
    const own = timesOf(history)
    for (const phase of ['calm', 'faults']) times[phase].push(...own[phase])
  })
  // Each concerns many entries, and is one.
  const { invalidations } = storm
  const receipts = (kind) => invalidations.filter(({ receipt }) => receipt === kind).length
  const kinds = {}
  for (const { kind } of invalidations) kinds[kind] = (kinds[kind] ?? 0) + 1
  return {
    found: { ...found, receipts: receipts('proven'), unproven: receipts('unproven') },
    propagation: {
      calm: summed(times.calm),
      faults: summed(times.faults),
      rejected: invalidations.filter(({ resolvedMs }) => resolvedMs === null).length,
    },
    kinds,
    invalidations: invalidations.length,
  }
}
