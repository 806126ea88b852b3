// Compiled and never run: every call, option and answer of the API with one class, under the strictest settings that a user may have.
import {
  assemblePromptContent,
  cache,
  close,
  configure,
  debugSystemPrompt,
  fetchActiveSystemPrompt,
  fetchActiveSystemPromptConfig,
  invalidateSystemPrompt,
  metrics,
  stats,
  SharedCache,
  sharedCache,
  CacheError,
  type CacheCounters,
  type CacheDebug,
  type CacheErrorCode,
  type CacheOptions,
  type CacheState,
  type CacheStats,
  type InstanceReceipt,
  type InvalidateOptions,
  type InvalidationReceipt,
  type LegacyPrompt,
  type ResourceCounters,
  type RedisStatus,
  type SystemPrompt,
  type SystemPromptConfig,
  type SystemPromptDebug,
} from 'grove-shared-cache'

/** Compiles only where both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never
declare function same<A, B>(same: Same<A, B>): void

// Options

const legacy: LegacyPrompt = {
  content: 'a prompt',
  source: 'bucket',
  responseMode: 'librarian',
  closingBehavior: 'question',
  useBreadcrumbTags: false,
  useTopicTags: false,
  useNavigationBlocks: false,
}
const every: Required<CacheOptions> = {
  upstashUrl: '',
  upstashToken: '',
  supabaseUrl: '',
  supabaseKey: '',
  fallbackPrompt: 'a prompt',
  promptFile: 'prompt.json',
  legacySource: async () => legacy,
  keyPrefix: 'mine',
  signingKey: 'of at least thirty-two characters',
  secondSigningKey: 'another of thirty-two characters',
  ttlSeconds: 60,
  maxStalenessMs: 0,
  redisTimeoutMs: 100,
  sourceTimeoutMs: 100,
  maxEntries: 10,
  maxBytes: 65536,
  push: false,
  logLevel: 'silent',
  onLog: ({ level, message }) => {
    same<typeof level, 'debug' | 'info' | 'warn' | 'error'>(true)
    same<typeof message, string>(true)
  },
  webhookSecret: 'of at least thirty-two characters',
}
same<ReturnType<typeof configure>, SharedCache>(true)
same<ReturnType<typeof sharedCache>, SharedCache>(true)
configure(every)
configure({})
configure({ legacySource: () => undefined })
// @ts-expect-error an option that does not exist
configure({ ttlMs: 5 })
// @ts-expect-error null is no way to leave one out
configure({ ttlSeconds: null })
// @ts-expect-error it is a number of milliseconds
configure({ maxStalenessMs: '1s' })
// @ts-expect-error of the levels, `trace` is none
configure({ logLevel: 'trace' })
// @ts-expect-error the default instance is configured by an object
configure()
new SharedCache()
new SharedCache({ maxEntries: undefined, webhookSecret: process.env['SECRET'] })
// @ts-expect-error a class is made by `new`
SharedCache()

// Reads

const config = await fetchActiveSystemPromptConfig()
same<typeof config, Readonly<SystemPromptConfig>>(true)
same<typeof config.tier, 'memory' | 'redis' | 'source' | 'stale' | 'fallback'>(true)
same<typeof config.version, string | null>(true)
same<typeof config.generation, number | null>(true)
const copy = { ...config }
copy.content = `${config.content}, and more`
// @ts-expect-error it is frozen
config.content = 'another'
// @ts-expect-error a prompt of no row has no version
config.version.slice(0, 4)
same<Awaited<ReturnType<typeof fetchActiveSystemPrompt>>, string>(true)
// @ts-expect-error a read takes no options
await fetchActiveSystemPrompt({ maxStalenessMs: 0 })

// Invalidations

const proof: InvalidateOptions = { wait: 'all', timeoutMs: 2000 }
const receipt = await invalidateSystemPrompt(proof)
same<typeof receipt, InvalidationReceipt>(true)
same<typeof receipt.provenAfterMs, number | null>(true)
same<typeof receipt.committedAt, number>(true)
const [first] = receipt.instances
same<typeof first, InstanceReceipt | undefined>(true)
for (const { id, by, confirmedAfterMs } of receipt.instances) {
  same<typeof id, string>(true)
  same<typeof by, 'ack' | 'lease-expired' | 'gone' | null>(true)
  same<typeof confirmedAfterMs, number | null>(true)
}
await invalidateSystemPrompt()
await invalidateSystemPrompt({})
await invalidateSystemPrompt({ wait: 'commit' })
await invalidateSystemPrompt({ wait: 'commit', timeoutMs: undefined })
await invalidateSystemPrompt({ wait: undefined })
declare const chosen: 'commit' | 'all'
await invalidateSystemPrompt({ wait: chosen })
// @ts-expect-error how long, and for what
await invalidateSystemPrompt({ timeoutMs: 500 })
// @ts-expect-error a commit is waited for as long as it takes
await invalidateSystemPrompt({ wait: 'commit', timeoutMs: 500 })
// @ts-expect-error the same, if that is what was chosen
await invalidateSystemPrompt({ wait: chosen, timeoutMs: 500 })
// @ts-expect-error a wait that does not exist
await invalidateSystemPrompt({ wait: 'everybody' })
// @ts-expect-error it is no truth value
await invalidateSystemPrompt({ wait: true })
// @ts-expect-error the limit is called timeoutMs
await invalidateSystemPrompt({ wait: 'all', timeout: 2000 })
// @ts-expect-error it is an object
await invalidateSystemPrompt('all')
// @ts-expect-error there may be no instance
first.id.slice(0, 4)
// @ts-expect-error it may not be proven
receipt.provenAfterMs.toFixed(1)

// State

const counted: CacheStats = stats()
const counters: CacheCounters = counted
const state: CacheState = counted
const { storeCommands, reads }: { storeCommands: number; reads: number } = counters
same<typeof state.breaker, 'closed' | 'open' | 'half-open' | null>(true)
same<typeof state.hitRate, number | null>(true)
const { ageMs, leaseLeftMs, generation } = state.systemPrompt
const { entries, bytes, maxEntries, maxBytes, evictions } = state.near
const ofPrompt: ResourceCounters | undefined = state.resources['system-prompt']
const hits: number | undefined = ofPrompt?.memoryHits
// @ts-expect-error commands are of the whole cache
console.log(ofPrompt?.storeCommands)
const { enabled, connected, reconnects, lastEventAgoMs } = state.push
const { redis, source, push } = state.lastErrors
same<typeof redis | typeof source | typeof push, string | null>(true)
same<typeof ageMs | typeof leaseLeftMs | typeof generation | typeof lastEventAgoMs, number | null>(
  true,
)
same<typeof enabled | typeof connected | typeof state.invalidationPending, boolean>(true)
const text: string = [metrics(), state.instance, reconnects, storeCommands, reads].join()
// @ts-expect-error it asks nobody, so there is nothing to await
stats().then()
// @ts-expect-error a counter that does not exist
console.log(counted.memoryMisses)

const debug: SystemPromptDebug = await debugSystemPrompt()
const shown: CacheCounters = debug.counters
const alike: CacheState = debug
const status: RedisStatus = debug.redis
same<typeof status.reason, string | null>(true)
same<typeof debug.fetchedAt, string>(true)
const known = debug.fleet?.[0]
const self: boolean | undefined = known?.self
const acknowledged: number | null | undefined = known?.generation
const leaseMs: number | undefined = known?.leaseMs
// @ts-expect-error without a store there is no fleet
console.log(debug.fleet.length)
// @ts-expect-error the list may be empty
console.log(debug.fleet?.[0].id)

// A cache, and its prompt

const own = new SharedCache({ keyPrefix: 'tenant' })
const { systemPrompt }: { readonly systemPrompt: SystemPrompt } = own
same<typeof systemPrompt.fetchActiveSystemPrompt, typeof fetchActiveSystemPrompt>(true)
same<typeof systemPrompt.fetchActiveSystemPromptConfig, typeof fetchActiveSystemPromptConfig>(true)
same<typeof systemPrompt.invalidateSystemPrompt, typeof invalidateSystemPrompt>(true)
same<typeof systemPrompt.debugSystemPrompt, typeof debugSystemPrompt>(true)
same<typeof own.stats, typeof stats>(true)
same<typeof own.metrics, typeof metrics>(true)
same<typeof own.close, typeof close>(true)
same<typeof own.get, typeof cache.get>(true)
const prompt: string = await configure({}).systemPrompt.fetchActiveSystemPrompt()
// @ts-expect-error only the default instance is configured
own.configure({})
// @ts-expect-error it is the cache's own
own.systemPrompt = systemPrompt
// @ts-expect-error the prompt has no options of its own
new SystemPromptCache()

const whole: CacheDebug = await own.debug()
same<typeof whole.redis.signed, boolean>(true)
same<typeof debug.redis.ttlSeconds, number | null>(true)
const wholeOfPrompt: CacheDebug = debug
// @ts-expect-error it holds no prompt
console.log(whole.fullContent)
// @ts-expect-error what is stored of the prompt is not the cache's
console.log(whole.redis.ttlSeconds)

// The rest

const assembled: string = assemblePromptContent({ identity: text })
// @ts-expect-error a payload is an object
assemblePromptContent('## Identity')
await cache.set('lenses', { assembled, shown, alike, self, acknowledged, leaseMs }, 60)
const there: boolean = await cache.del('lenses')
const value: { a: number } | null = await cache.get<{ a: number }>('lenses')
const inferred: { a: number } | null = await own.get('lenses')
const unknown = await cache.get('lenses')
same<typeof unknown, unknown>(true)
// @ts-expect-error a key that is no string
await cache.get(5)
// @ts-expect-error a TTL is a number of seconds
await cache.set('lenses', there, '60')
// @ts-expect-error a value is needed
await cache.set('lenses')
same<Awaited<ReturnType<typeof close>>, void>(true)

// Errors

try {
  await invalidateSystemPrompt()
} catch (error) {
  if (!(error instanceof CacheError)) throw error
  const { code, retryable, cause } = error
  same<typeof code, CacheErrorCode>(true)
  same<typeof retryable, boolean>(true)
  const behind: string | undefined = cause?.code
  if (code === 'STORE_UNAVAILABLE' && retryable) console.warn(behind)
  // @ts-expect-error a code that does not exist
  if (code === 'TIMEOUT') console.warn(code)
}
const fault = Object.assign(new Error('no answer'), { code: 'timeout' })
throwing(new CacheError('STORE_UNAVAILABLE', 'not taken', { retryable: true, cause: fault }))
// @ts-expect-error a code that does not exist
throwing(new CacheError('TIMEOUT', 'late'))
declare function throwing(error: CacheError): void

export const used = [
  [entries, bytes, maxEntries, maxBytes, evictions, hits],
  [prompt, wholeOfPrompt, value, inferred],
]
