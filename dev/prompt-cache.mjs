// A cache of which only the system prompt is used.
import { SharedCache } from 'grove-shared-cache'

/** @param {object} [options] those of `SharedCache` */
export function promptCache(options) {
  const cache = new SharedCache(options)
  return {
    ...cache.systemPrompt,
    stats: () => cache.stats(),
    metrics: () => cache.metrics(),
    close: () => cache.close(),
  }
}
