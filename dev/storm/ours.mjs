// This package, as a server uses it.

import { promptCache } from '../prompt-cache.mjs'

import { optionsOf } from '../cache-options.mjs'
import { FALLBACK } from './prompt.mjs'

export function openOurs({ environment, keyPrefix, push }) {
  const cache = promptCache(
    optionsOf({ environment, keyPrefix }, { push, fallbackPrompt: FALLBACK, logLevel: 'silent' }),
  )
  return {
    read: () => cache.fetchActiveSystemPromptConfig(),
    invalidate: () => cache.invalidateSystemPrompt(),
    invalidateEverywhere: () => cache.invalidateSystemPrompt({ wait: 'all' }),
    close: () => cache.close(),
  }
}
