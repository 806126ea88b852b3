// This package, as a server uses it: one cache for the prompt and all resources.

import { SharedCache } from 'grove-shared-cache'

import { optionsOf } from '../cache-options.mjs'
import { FALLBACK } from './prompt.mjs'

export function openOurs({ environment, keyPrefix, push, maxEntries }) {
  const own = { push, maxEntries, fallbackPrompt: FALLBACK, logLevel: 'silent' }
  const cache = new SharedCache(optionsOf({ environment, keyPrefix }, own))
  const { systemPrompt } = cache
  return {
    cache,
    read: () => systemPrompt.fetchActiveSystemPromptConfig(),
    invalidate: () => systemPrompt.invalidateSystemPrompt(),
    invalidateEverywhere: () => systemPrompt.invalidateSystemPrompt({ wait: 'all' }),
  }
}
