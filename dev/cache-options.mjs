// The options of a cache on the local stack.

/**
 * @param {{ environment: Record<string, string>, keyPrefix: string }} place `environment`: as the stack gives it
 * @param {object} [options] further ones, and others in place of these
 */
export function optionsOf({ environment, keyPrefix }, options = {}) {
  return {
    upstashUrl: environment.UPSTASH_REDIS_REST_URL,
    upstashToken: environment.UPSTASH_REDIS_REST_TOKEN,
    supabaseUrl: environment.SUPABASE_URL,
    supabaseKey: environment.SUPABASE_SERVICE_ROLE_KEY,
    keyPrefix,
    ...options,
  }
}
