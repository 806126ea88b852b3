// The admins of a storm: each edits the prompt as the console does, then invalidates it through an instance.

import { setTimeout as wait } from 'node:timers/promises'

/**
 * @param {{ stack: object, instances: object[] }} options processes
 * @returns {{ edits: object[], invalidations: object[], burst(admins: Array<{ instance: number, gapsMs: number[] }>): void,
 *   done(): Promise<void> }} `edits` and `invalidations` as `history.mjs` has them; `done` rejects if an edit failed
 */
export function startAdmins({ stack, instances }) {
  const edits = []
  const invalidations = []
  const atWork = []

  async function work({ instance, gapsMs }) {
    for (const gapMs of gapsMs) {
      const made = await stack.ask('edit')
      edits.push(made)
      const { version } = made
      invalidations.push({ instance, version, ...(await instances[instance].ask('invalidate')) })
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
      edits.sort((one, other) => one.version - other.version)
    },
  }
}
