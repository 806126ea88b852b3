// What a storm left behind, and the one question that the checker asks of it: when was a version superseded?

/**
 * @typedef {object} History
 * @property {number} first the version that was active at the beginning
 * @property {number} last
 * @property {Array<{ version: number, fromMs?: number, committedMs: number }>} edits in the database's order; between `fromMs` and
 *   `committedMs` it holds nothing
 * @property {Invalidation[]} invalidations
 * @property {Array<{ records: Float64Array, pending: number[], pauses: Span[], evicts?: boolean }>} instances `records` as
 *   `journal.mjs` writes them, in the order of their endings; `pending`: when reads began that never ended; `evicts`: it may
 *   forget what it has delivered
 * @property {Span[]} outages of store, push, source or an instance
 * @property {Span[]} sourceOutages
 * @property {{ boundMs: number, hungMs: number }} limits
 *
 * @typedef {{ instance: number, version: number, calledMs: number, resolvedMs: number | null,
 *   receipt: "proven" | "unproven" | null }}
 *   Invalidation `version`: the edit it was made for; `resolvedMs` is null if it rejected; `receipt`: whether it said that no
 *   instance serves anything older, null where it was not waited for
 * @typedef {{ fromMs: number, toMs: number }} Span
 */

/**
 * The newest version that an invalidation promises: what the database held when it was called, which may be a later
 * edit of another admin.
 */
export function promisedBy({ version, calledMs }, edits) {
  const held = edits.findLast(({ committedMs }) => committedMs <= calledMs)
  return Math.max(version, held?.version ?? 0)
}

/**
 * When the promise of a newer version was first given, for each version: the earliest `resolvedMs` of all invalidations
 * that promise a later version, Infinity where there is none. A rejected invalidation promises nothing.
 *
 * @param {History} history
 * @param {(invalidation: Invalidation) => boolean} [counts]
 * @returns {Float64Array} by version, `last` included
 */
export function supersededAt({ last, edits, invalidations }, counts = () => true) {
  const at = new Float64Array(last + 1).fill(Infinity)
  for (const invalidation of invalidations) {
    if (invalidation.resolvedMs === null || !counts(invalidation)) continue
    const older = promisedBy(invalidation, edits) - 1
    at[older] = Math.min(at[older], invalidation.resolvedMs)
  }
  // What supersedes a version supersedes all before it.
  for (let version = last - 1; version >= 0; version -= 1)
    at[version] = Math.min(at[version], at[version + 1])
  return at
}

/** Whether two spans touch. */
export function overlaps(one, other) {
  return one.fromMs <= other.toMs && other.fromMs <= one.toMs
}
