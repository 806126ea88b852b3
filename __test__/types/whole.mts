// Compiled and never run: every call, option and answer, under the strictest settings that a user may have.
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
  SystemPromptCache,
  type CacheCounters,
  type CacheOptions,
  type CacheState,
  type CacheStats,
  type InstanceReceipt,
  type InvalidateOptions,
  type InvalidationReceipt,
  type LegacyPrompt,
  type RedisStatus,
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
  push: false,
  logLevel: 'silent',
  onLog: ({ level, message }) => {
    same<typeof level, 'debug' | 'info' | 'warn' | 'error'>(true)
    same<typeof message, string>(true)
  },
}
same<ReturnType<typeof configure>, void>(true)
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
// @ts-expect-error a class is made by `new`
SystemPromptCache()

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

const proof: Required<InvalidateOptions> = { wait: 'all', timeoutMs: 2000 }
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
await invalidateSystemPrompt({ timeoutMs: 500 })
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
const { ageMs, leaseLeftMs, generation } = state.near
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

// A cache of its own has the same calls

const own = new SystemPromptCache({ keyPrefix: 'tenant' })
same<typeof own.fetchActiveSystemPrompt, typeof fetchActiveSystemPrompt>(true)
same<typeof own.fetchActiveSystemPromptConfig, typeof fetchActiveSystemPromptConfig>(true)
same<typeof own.invalidateSystemPrompt, typeof invalidateSystemPrompt>(true)
same<typeof own.debugSystemPrompt, typeof debugSystemPrompt>(true)
same<typeof own.stats, typeof stats>(true)
same<typeof own.metrics, typeof metrics>(true)
same<typeof own.close, typeof close>(true)
// @ts-expect-error only the default instance is configured
own.configure({})

// The rest

const assembled: string = assemblePromptContent({ identity: text })
// @ts-expect-error a payload is an object
assemblePromptContent('## Identity')
await cache.set('lenses', { assembled, shown, alike, self, acknowledged, leaseMs }, 60)
const there: boolean = await cache.del('lenses')
// @ts-expect-error a TTL is a number of seconds
await cache.set('lenses', there, '60')
// @ts-expect-error a value is needed
await cache.set('lenses')
same<Awaited<ReturnType<typeof close>>, void>(true)

// Errors

import type { CacheError, CacheErrorCode } from 'grove-shared-cache'
try {
  await invalidateSystemPrompt()
} catch (error) {
  const { code, retryable, cause } = error as CacheError
  same<typeof code, CacheErrorCode>(true)
  same<typeof retryable, boolean>(true)
  const behind: string | undefined = cause?.code
  if (code === 'STORE_UNAVAILABLE' && retryable) console.warn(behind)
  // @ts-expect-error a code that does not exist
  if (code === 'TIMEOUT') console.warn(code)
}
