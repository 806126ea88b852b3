// Visitors of the demo while it stays up: five chats a second begin on each instance, and as many look through a lens, so that
// the console has traffic to show.

const PAUSE_MS = 200

/** @param {Array} instances see `instances.mjs` @returns {() => Promise<void>} how to end it */
export function startVisitors(instances) {
  // One that is stopped or frozen has no visitors, and its own words say so.
  const visit = () =>
    instances.forEach((instance) => {
      instance.chat().catch(() => {})
      instance.lens('story').catch(() => {})
    })
  const timer = setInterval(visit, PAUSE_MS)
  return async () => clearInterval(timer)
}
