// A server with this package.

import { promptCache } from '../../dev/prompt-cache.mjs'

export function open({ KEY_PREFIX }) {
  const cache = promptCache({ keyPrefix: KEY_PREFIX })
  return {
    read: () => cache.fetchActiveSystemPrompt(),
    hits: 1000,
    sourceReads: () => cache.stats().sourceReads,
    /** What came from the source is stored in the background. */
    async filled() {
      while (cache.stats().fills < cache.stats().sourceReads) await new Promise(setImmediate)
    },
  }
}
