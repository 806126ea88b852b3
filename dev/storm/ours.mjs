// This package, as a server uses it.

import { SystemPromptCache } from 'grove-shared-cache'

import { optionsOf } from '../cache-options.mjs'
import { FALLBACK } from './prompt.mjs'

export function openOurs({ environment, keyPrefix, push }) {
  const cache = new SystemPromptCache(
    optionsOf({ environment, keyPrefix }, { push, fallbackPrompt: FALLBACK, logLevel: 'silent' }),
  )
  return {
    read: () => cache.fetchActiveSystemPromptConfig(),
    invalidate: () => cache.invalidateSystemPrompt(),
    invalidateEverywhere: () => cache.invalidateSystemPrompt({ wait: 'all' }),
    close: () => cache.close(),
  }
}
