// A server that does by hand what can be done with the two clients: GET; on a miss the active row, assembled, and SET with
// five minutes to live.

import { PostgrestClient } from '@supabase/postgrest-js'
import { Redis } from '@upstash/redis'

const TTL_SECONDS = 300
const SECTIONS = {
  identity: 'Identity',
  voiceGuidelines: 'Voice Guidelines',
  structureRules: 'Structure Rules',
  knowledgeInstructions: 'Knowledge Instructions',
  boundaries: 'Boundaries',
}

export function open(environment) {
  const redis = new Redis({
    url: environment.UPSTASH_REDIS_REST_URL,
    token: environment.UPSTASH_REDIS_REST_TOKEN,
    enableTelemetry: false,
  })
  const apikey = environment.SUPABASE_SERVICE_ROLE_KEY
  const postgrest = new PostgrestClient(`${environment.SUPABASE_URL}/rest/v1`, {
    headers: { apikey, authorization: `Bearer ${apikey}` },
  })
  const key = `${environment.KEY_PREFIX}:active`
  let sourceReads = 0
  let filling

  async function load() {
    sourceReads += 1
    const { data, error } = await postgrest
      .from('system_prompts')
      .select('payload')
      .eq('status', 'active')
      .order('updated_at', { ascending: false })
      .limit(1)
      .single()
    if (error) throw error
    return Object.entries(SECTIONS)
      .filter(([section]) => data.payload[section])
      .map(([section, heading]) => `## ${heading}\n${data.payload[section]}`)
      .join('\n\n')
  }

  return {
    async read() {
      const cached = await redis.get(key)
      if (cached) return cached
      const prompt = await load()
      // Not awaited, as this package does not wait for its fill either.
      filling = redis.set(key, prompt, { ex: TTL_SECONDS })
      return prompt
    },
    // Each read asks Redis.
    hits: 0,
    sourceReads: () => sourceReads,
    filled: () => filling,
  }
}
