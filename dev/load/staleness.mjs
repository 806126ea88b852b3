// Which answers were too old: pure, so that it can be tested by itself.

/**
 * A chat that began more than the bound after an edit's invalidation was answered must have got that edit or a later one.
 * One that got the fallback prompt says so itself and is counted apart: between the two steps of an edit there is no
 * active prompt to be had.
 *
 * @param {object} observed
 * @param {Array<{ beganMs: number, sha256: string, tier: string }>} observed.chats
 * @param {Array<{ sha256: string, resolvedMs: number }>} observed.edits in their order
 * @param {number} observed.boundMs
 * @returns {{ stale: number, fallbacks: number, unknown: number }} `unknown`: prompts that no edit made
 */
export function judgeStaleness({ chats, edits, boundMs }) {
  const order = new Map(edits.map(({ sha256 }, index) => [sha256, index]))
  const counts = { stale: 0, fallbacks: 0, unknown: 0 }
  for (const { beganMs, sha256, tier } of chats) {
    const due = edits.findLastIndex(({ resolvedMs }) => beganMs > resolvedMs + boundMs)
    if (tier === 'fallback') counts.fallbacks += 1
    else if (!order.has(sha256)) counts.unknown += 1
    else if (order.get(sha256) < due) counts.stale += 1
  }
  return counts
}
