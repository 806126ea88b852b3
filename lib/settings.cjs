// temporary
exports.checkedOptions = (given) => given
exports.settingsOf = (o, process) => {
  const env = process.env
  const place = (u, t, un, tn) =>
    (u ?? env[un]) ? { url: u ?? env[un], token: t ?? env[tn] } : { reason: un + ' is not set' }
  return {
    store: place(
      o.upstashUrl,
      o.upstashToken,
      'UPSTASH_REDIS_REST_URL',
      'UPSTASH_REDIS_REST_TOKEN',
    ),
    supabase: place(o.supabaseUrl, o.supabaseKey, 'SUPABASE_URL', 'SUPABASE_SERVICE_ROLE_KEY'),
    promptFile: o.promptFile ?? env.SYSTEM_PROMPT_FILE ?? null,
    fallbackPrompt: o.fallbackPrompt ?? null,
    keyPrefix: o.keyPrefix ?? 'grove',
    signingKeys: o.signingKey ? [o.signingKey] : null,
    ttlSeconds: o.ttlSeconds ?? 300,
    maxStalenessMs: o.maxStalenessMs ?? 1000,
    redisTimeoutMs: o.redisTimeoutMs ?? 500,
    sourceTimeoutMs: o.sourceTimeoutMs ?? 2000,
    maxEntries: o.maxEntries ?? 50000,
    maxBytes: o.maxBytes ?? 67108864,
    push: o.push ?? true,
    logLevel: o.logLevel ?? 'info',
    extraRoots: null,
  }
}
