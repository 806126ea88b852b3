// This package, as a server uses it.

import { SystemPromptCache } from 'grove-shared-cache'

import { FALLBACK } from './prompt.mjs'

export function openOurs({ environment, keyPrefix, push }) {
  const cache = new SystemPromptCache({
    upstashUrl: environment.UPSTASH_REDIS_REST_URL,
    upstashToken: environment.UPSTASH_REDIS_REST_TOKEN,
    supabaseUrl: environment.SUPABASE_URL,
    supabaseKey: environment.SUPABASE_SERVICE_ROLE_KEY,
    keyPrefix,
    push,
    fallbackPrompt: FALLBACK,
    logLevel: 'silent',
  })
  return {
    read: () => cache.fetchActiveSystemPromptConfig(),
    invalidate: () => cache.invalidateSystemPrompt(),
    close: () => cache.close(),
  }
}
