// How long a change takes from the invalidation until each instance serves it: of the prompt, unless something else is said.

import { setTimeout as wait } from 'node:timers/promises'

const POLL_MS = 3
const GIVE_UP_MS = 5000

/**
 * Invalidates through one instance, then asks all of them, each at its own pace, until they serve the change.
 *
 * @param {object} options
 * @param {Array} options.instances see `instances.mjs`
 * @param {object} options.through the instance that gets the invalidation
 * @param {(chat: object, receipt: object) => boolean} options.isNew whether a chat got what was changed
 * @param {(instance: object) => Promise<object>} [options.invalidate] through this instance
 * @param {(instance: object) => Promise<object>} [options.ask]
 * @returns {Promise<{ receipt: object, invalidateMs: number, arrivals: Array<{ instance: object, chat: object,
 *   afterMs: number | null }> }>} `afterMs` counts from the invalidation's answer to the first answer with the change;
 *   null if none came within 5 s, with the last chat then
 */
export async function measurePropagation({
  instances,
  through,
  isNew,
  invalidate = (instance) => instance.invalidate(),
  ask = (instance) => instance.chat(),
}) {
  const asked = performance.now()
  const receipt = await invalidate(through)
  const resolved = performance.now()
  const arrivals = await Promise.all(
    instances.map(async (instance) => {
      for (;;) {
        const chat = await ask(instance)
        const afterMs = performance.now() - resolved
        if (isNew(chat, receipt)) return { instance, chat, afterMs }
        if (afterMs > GIVE_UP_MS) return { instance, chat, afterMs: null }
        await wait(POLL_MS)
      }
    }),
  )
  return { receipt, invalidateMs: resolved - asked, arrivals }
}
