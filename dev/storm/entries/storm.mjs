// What a storm has of its entries: who holds them, who edits them, and what is left behind.

import { startAdmins } from '../admins.mjs'
import { recordsIn } from '../journal.mjs'
import { randomOf } from '../random.mjs'
import { changeOf } from './changes.mjs'
import { entriesOf } from './entries.mjs'

/** Of those that there are, the last instance has room for so many, so that it goes on evicting some. */
const ROOM = 0.8

/**
 * Edits each entry once, so that it has a version of this storm.
 *
 * @param {object} options
 * @param {object} options.stack the stack's process
 * @param {object[]} options.instances processes
 * @param {number} options.resources
 * @param {number} options.seed
 * @param {number} options.readers of entries in each instance
 * @param {(index: number) => string} options.pathOf the journal of an instance
 */
export async function openEntryStorm(options) {
  const { stack, instances, resources, seed, readers, pathOf } = options
  const count = entriesOf(resources)
  const baseline = await stack.ask('editEntries', [...Array(count).keys()])
  const random = randomOf(seed + 3)
  const { edits, invalidations, burst, done } = startAdmins({
    async edit() {
      const change = changeOf(random, count)
      return { ...change, ...(await stack.ask('editEntries', change.numbers)) }
    },
    invalidate: async (instance, { kind, what, versions }) => ({
      kind,
      what,
      versions,
      ...(await instances[instance].ask('invalidateEntries', { kind, what })),
    }),
  })
  const evicts = (index) => index === instances.length - 1

  return {
    burst,
    done,
    /** What the process of an instance is asked to hold. */
    sharedOf: (index) => ({
      path: pathOf(index),
      readers,
      resources,
      count,
      seed: seed + index,
      maxEntries: evicts(index) ? count * ROOM : undefined,
    }),
    /** What `judgeEntries` takes. @param {object[]} stopped @param {object[][]} pauses of each instance */
    left: (stopped, pauses) => ({
      count,
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
