// What a storm has of its entries: who holds them, who edits them, and what is left behind.

import { startAdmins } from '../admins.mjs'
import { recordsIn } from '../journal.mjs'
import { randomOf } from '../random.mjs'
import { changeOf } from './changes.mjs'
import { ENTRIES } from './entries.mjs'

/** Of the last instance: fewer than there are, so that it goes on evicting some. */
const MAX_ENTRIES = 120

/**
 * Edits each entry once, so that it has a version of this storm.
 *
 * @param {object} options
 * @param {object} options.stack the stack's process
 * @param {object[]} options.instances processes, the last of which may not be started yet
 * @param {number} options.count of instances
 * @param {string} options.truthUrl
 * @param {string} options.keyPrefix
 * @param {number} options.seed
 * @param {number} options.readers of entries in each instance
 * @param {(index: number) => string} options.pathOf the journal of an instance
 */
export async function openEntryStorm(options) {
  const { stack, instances, count, truthUrl, keyPrefix, seed, readers, pathOf } = options
  const baseline = await stack.ask('editEntries', [...ENTRIES.keys()])
  const random = randomOf(seed + 3)
  const { edits, invalidations, burst, done } = startAdmins({
    async edit() {
      const change = changeOf(random)
      return { ...change, ...(await stack.ask('editEntries', change.numbers)) }
    },
    invalidate: async (instance, { kind, what, versions }) => ({
      kind,
      what,
      versions,
      ...(await instances[instance].ask('invalidateEntries', { kind, what })),
    }),
  })
  const evicts = (index) => index === count - 1

  return {
    burst,
    done,
    /** What the process of an instance is asked to hold. */
    sharedOf: (index) => ({
      path: pathOf(index),
      readers,
      truthUrl,
      keyPrefix,
      seed: seed + index,
      maxEntries: evicts(index) ? MAX_ENTRIES : undefined,
    }),
    /** What `judgeEntries` takes. @param {object[]} stopped @param {object[][]} pauses of each instance */
    left: (stopped, pauses) => ({
      edits: [baseline, ...edits],
      invalidations,
      instances: stopped.map(({ pendingEntries: pending }, index) => ({
        records: recordsIn(pathOf(index)),
        pending,
        pauses: pauses[index],
        evicts: evicts(index),
      })),
    }),
  }
}
