// Compiled and never run: what an ES module in TypeScript may write, and what it may not.
import {
  assemblePromptContent,
  cache,
  close,
  configure,
  debugSystemPrompt,
  fetchActiveSystemPrompt,
  fetchActiveSystemPromptConfig,
  invalidateSystemPrompt,
  stats,
  SystemPromptCache,
  type CacheOptions,
  type CacheStats,
  type InvalidationReceipt,
  type SystemPromptConfig,
  type SystemPromptDebug,
} from 'grove-shared-cache'

const prompt: string = await fetchActiveSystemPrompt()
const config: SystemPromptConfig = await fetchActiveSystemPromptConfig()
const version: string | null = config.version
const receipt: InvalidationReceipt = await invalidateSystemPrompt()
const generation: number | null = receipt.generation
const debug: SystemPromptDebug = await debugSystemPrompt()
const reachable: boolean = debug.redis.reachable
const counts: CacheStats = stats()
const assembled: string = assemblePromptContent({ identity: prompt, extra: 1 })

const options: CacheOptions = {
  ttlSeconds: 60,
  logLevel: 'debug',
  legacySource: async () => ({ content: assembled, responseMode: 'librarian' }),
  onLog: ({ level, message }) => console.log(level, message),
}
configure(options)
interface StoredPrompt {
  content: string
  label: string
}
declare const stored: StoredPrompt
configure({ legacySource: () => stored })
configure({ legacySource: async () => null })
configure({ legacySource: () => 'a prompt' })
assemblePromptContent(stored)
const own = new SystemPromptCache(options)
const fromOwn: string = await own.fetchActiveSystemPrompt()
const nothing: void = await own.close()
new SystemPromptCache()

await cache.set('key', { any: ['json', version, generation, reachable, counts, fromOwn, nothing] })
await cache.set('key', 'text', 60)
const value: { a: number } | null = await cache.get('key')
const deleted: boolean = await cache.del('key')
await close()

// @ts-expect-error an option that does not exist
configure({ ttl: 5, deleted, value })
// @ts-expect-error an option of another type
configure({ ttlSeconds: '60' })
// @ts-expect-error a legacy source that gives no prompt
configure({ legacySource: async () => 5 })
// @ts-expect-error a level that does not exist
configure({ logLevel: 'loud' })
// @ts-expect-error a key that is no string
await cache.get(5)
// @ts-expect-error a tier that does not exist
if (config.tier === 'disk') close()
