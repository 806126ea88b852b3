// A server with this package.

import { SystemPromptCache } from 'grove-shared-cache'

export function open({ KEY_PREFIX }) {
  const cache = new SystemPromptCache({ keyPrefix: KEY_PREFIX })
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
