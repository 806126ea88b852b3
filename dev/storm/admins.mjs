// The admins of a storm: each makes an edit, then invalidates it through an instance, and so on.

import { setTimeout as wait } from 'node:timers/promises'

/**
 * @param {object} options
 * @param {() => Promise<{ committedMs: number }>} options.edit
 * @param {(instance: number, edit: object) => Promise<object>} options.invalidate gives what `history.mjs` has of an
 *   invalidation
 * @returns {{ edits: object[], invalidations: object[], burst(admins: Array<{ instance: number, gapsMs: number[] }>): void,
 *   done(): Promise<void> }} `edits` and `invalidations` as `history.mjs` has them; `done` rejects if an edit failed
 */
export function startAdmins({ edit, invalidate }) {
  const edits = []
  const invalidations = []
  const atWork = []

  async function work({ instance, gapsMs }) {
    for (const gapMs of gapsMs) {
      const made = await edit()
      edits.push(made)
      invalidations.push({ instance, ...(await invalidate(instance, made)) })
      await wait(gapMs)
    }
  }

  return {
    edits,
    invalidations,
    burst(admins) {
      const working = Promise.all(admins.map(work))
      working.catch(() => {})
      atWork.push(working)
    },
    async done() {
      await Promise.all(atWork)
      edits.sort((one, other) => one.committedMs - other.committedMs)
    },
  }
}
