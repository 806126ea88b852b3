// The algorithm that servers wrote for themselves before this package, to compare with: GET, else load and SET with five
// minutes to live; an invalidation is a DEL. Errors of the store are a miss, those of the source give the fallback.

import { Redis } from '@upstash/redis'
import { assemblePromptContent } from 'grove-shared-cache'

import { FALLBACK } from './prompt.mjs'

const TTL_SECONDS = 300
const QUERY = 'rest/v1/system_prompts?status=eq.active&select=*&order=updated_at.desc&limit=1'

export function openDocument({ environment, keyPrefix }) {
  const redis = new Redis({
    url: environment.UPSTASH_REDIS_REST_URL,
    token: environment.UPSTASH_REDIS_REST_TOKEN,
    enableTelemetry: false,
  })
  const key = `${keyPrefix}:system-prompt:active`
  const apikey = environment.SUPABASE_SERVICE_ROLE_KEY
  const source = new URL(QUERY, environment.SUPABASE_URL)

  async function load() {
    const answer = await fetch(source, { headers: { apikey, authorization: `Bearer ${apikey}` } })
    if (!answer.ok) throw new Error(`the source answered ${answer.status}`)
    const [row] = await answer.json()
    return row ? assemblePromptContent(row.payload) : null
  }

  return {
    async read() {
      const cached = await redis.get(key).catch(() => null)
      if (cached) return { content: String(cached), tier: 'redis' }
      const content = await load().catch(() => null)
      if (!content) return { content: FALLBACK, tier: 'fallback' }
      await redis.set(key, content, { ex: TTL_SECONDS }).catch(() => {})
      return { content, tier: 'source' }
    },
    invalidate: () => redis.del(key),
  }
}
