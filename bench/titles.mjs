// What the sides and parts are called for people, in Markdown.

export const PARTS = {
  hits: 'hits',
  reads: 'reads of the store',
  cold: 'cold starts',
  commands: 'store commands',
  growth: 'growth with instances and threads',
}

export const TITLES = {
  local: 'a variable with a TTL',
  lruCache: '`lru-cache` `fetch()`',
  lruCacheExact: '`lru-cache` `fetch()`, `ttlResolution: 0`',
  bentocache: '`bentocache` `getOrSet()`',
  bentocacheGet: '`bentocache` `get()`',
  bentocacheBest: '`bentocache` `get()`, `serialize: false`',
  ours: '`fetchActiveSystemPrompt()`',
  oursConfig: '`fetchActiveSystemPromptConfig()`',
  oursClass: '`cache.systemPrompt`',
  oursAsking: '`maxStalenessMs: 0`',
  oursGet: '`cache.get()`',
  upstash: '`@upstash/redis` `get`',
  upstashRaw: '`@upstash/redis` `get`, raw',
  libCache: 'a server’s `lib/cache`',
  peer: '`@upstash/redis`, `postgrest-js`',
  peerEmpty: '`@upstash/redis`, `postgrest-js`',
  bare: 'a bare Node',
  'workers 1': 'one thread',
}

/** Without the marks of Markdown. */
export const plain = (title) => title.replaceAll('`', '')
