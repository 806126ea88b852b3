// Compiled and never run: resources of the API with one class, what their loaders may give and what comes back, and webhooks.
import type { IncomingMessage } from 'node:http'
import {
  featureFlag,
  lensConfiguration,
  narrativeGraph,
  ragContext,
  SharedCache,
  supabaseResource,
  type Cached,
  type CacheCounters,
  CacheError,
  type CacheErrorCode,
  type CacheStats,
  type InvalidationReceipt,
  type InvalidationTargets,
  type LoadContext,
  type Resource,
  type ResourceCounters,
  type ResourceEntry,
  type ResourceId,
  type ResourceOptions,
  type SupabaseChange,
  type SupabaseResourceOptions,
  type SupabaseRow,
  type WebhookReply,
  type WebhookRequest,
} from 'grove-shared-cache'

/** Compiles only where both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never
declare function same<A, B>(same: Same<A, B>): void

const cache = new SharedCache({ ttlSeconds: 5 })

// What a loader gives is what comes back

const lens = cache.resource({ name: 'lens', load: async () => ({ a: 1 }) })
const found: { a: number } | null = await lens.get('story')
same<typeof lens, Resource<{ a: number }>>(true)
same<Awaited<ReturnType<typeof lens.get>>, { readonly a: number } | null>(true)
// @ts-expect-error there may be none
found.a.toFixed()
// @ts-expect-error it is frozen
if (found) (await lens.get('story')).a = 2

const text = cache.resource({ name: 'text', load: () => 'a text' })
same<Awaited<ReturnType<typeof text.get>>, string | null>(true)
const maybe = cache.resource({ name: 'maybe', load: async (id) => (id ? [id] : undefined) })
same<Awaited<ReturnType<typeof maybe.get>>, readonly string[] | null>(true)
const bytes = cache.resource({ name: 'bytes', load: async () => new Uint8Array(4) })
same<Awaited<ReturnType<typeof bytes.get>>, Buffer | null>(true)
const dated = cache.resource({ name: 'dated', load: async () => ({ at: new Date() }) })
same<Awaited<ReturnType<typeof dated.get>>, { readonly at: string } | null>(true)
const anything = cache.resource({ name: 'any', load: async () => JSON.parse('{}') })
same<Awaited<ReturnType<typeof anything.get>>, any>(true)
interface Doc {
  title: string
  links: Doc[]
}
declare const docs: Doc[]
const named = cache.resource<Doc[]>({ name: 'docs', load: async () => docs, fallback: [] })
const several: ReadonlyArray<Cached<Doc>> | null = await named.get(7)
const title: string | undefined = several?.[0]?.links[0]?.title
// @ts-expect-error a fallback is a value as the loader's
cache.resource<Doc[]>({ name: 'docs', load: async () => docs, fallback: 'none' })

const entry: ResourceEntry<{ a: number }> = await lens.getEntry('story')
same<typeof entry.tier, 'memory' | 'redis' | 'source' | 'stale' | 'fallback'>(true)
same<typeof entry.generation, string | null>(true)
const [fetchedAt, source]: [number, string] = [entry.fetchedAt, entry.source]
// @ts-expect-error it is frozen
entry.tier = 'memory'
const many: Array<string | null> = await text.getMany(['a', 7] as const)
// @ts-expect-error it is an array
await text.getMany('a')
// @ts-expect-error an id is a string or a number
await text.get(null)
// @ts-expect-error it is frozen
text.name = 'another'
const { get, invalidate } = text
const kinds: Array<Resource<unknown>> = [lens, text, bytes, dated, named]
const whatever: unknown = await kinds[0]?.get('a')
const ofAnyKind: ResourceEntry<unknown> = entry
// @ts-expect-error it is known of what kind it is
const lenses: Resource<{ b: number }> = lens

// Resources

const whole: ResourceOptions<{ a: number }> = {
  name: 'whole',
  ttlSeconds: 60,
  loadTimeoutMs: 500,
  load: async (id: string, { signal }: LoadContext) => {
    signal.throwIfAborted()
    return { a: id.length }
  },
  fallback: (id) => (id ? { a: 0 } : null),
  tags: (id) => [`hub:${id}`],
  tables: {
    documents: (row, change) => (change.type === 'DELETE' ? row['hub_id'] : [row['hub_id'], 7]),
    'grove.lenses': true,
    hubs: () => null,
  },
}
cache.resource(whole)
cache.resource({ name: 'x', load: () => 1, tags: ['docs'], ttlSeconds: undefined })
// @ts-expect-error values come from somewhere
cache.resource({ name: 'x' })
// @ts-expect-error from one place
cache.resource({ name: 'x', load: () => 1, supabase: { table: 'lenses', match: 'id' } })
// @ts-expect-error an option that does not exist
cache.resource({ name: 'x', load: () => 1, ttl: 5 })
// @ts-expect-error a resource has a name
cache.resource({ load: () => 1 })
// @ts-expect-error the loader is given a string
cache.resource({ name: 'x', load: (id: number) => id })
// @ts-expect-error tags are strings
cache.resource({ name: 'x', load: () => 1, tags: [5] })
// @ts-expect-error tags are there at once
cache.resource({ name: 'x', load: () => 1, tags: async () => ['a'] })
// @ts-expect-error a table has a function, or true
cache.resource({ name: 'x', load: () => 1, tables: { lenses: false } })

// Of Supabase

interface Lens {
  id: string
  weights: number[]
}
const one = cache.resource(
  supabaseResource<Lens>({ name: 'one', table: 'lenses', match: 'id', single: true }),
)
same<typeof one, Resource<Lens>>(true)
const weights: readonly number[] | undefined = (await one.get('story'))?.weights
const rows = cache.resource(supabaseResource<Lens>({ name: 'rows', table: 'lenses', match: 'id' }))
same<typeof rows, Resource<Lens[]>>(true)
const most: Required<SupabaseResourceOptions<Lens[]>> = {
  name: 'most',
  table: 'lenses',
  schema: 'grove',
  select: '*',
  match: 'id',
  where: { live: true, rank: 1, status: 'active' },
  order: 'rank.desc',
  limit: 5,
  single: false,
  ttlSeconds: 5,
  loadTimeoutMs: 5,
  fallback: [],
  tags: ['docs'],
  tables: {},
}
supabaseResource({ ...most, single: false })
cache.resource({ name: 'x', supabase: { table: 'lenses', match: 'id', single: true } })
// @ts-expect-error it is to be told by which column
supabaseResource({ name: 'x', table: 'lenses' })
// @ts-expect-error it has no loader
supabaseResource({ name: 'x', table: 'lenses', match: 'id', load: () => 1 })

const readyMade = ragContext<Lens>()
same<typeof readyMade, ResourceOptions<Lens[]>>(true)
const context = cache.resource(ragContext())
same<typeof context, Resource<SupabaseRow[]>>(true)
const flag = cache.resource(featureFlag<{ enabled: boolean }>({ fallback: { enabled: false } }))
const enabled: boolean = (await flag.get('dark'))?.enabled ?? false
same<typeof flag, Resource<{ enabled: boolean }>>(true)
cache.resource(lensConfiguration({ ttlSeconds: 5, table: 'views' }))
cache.resource(narrativeGraph<Lens>({ select: '*', tags: undefined }))
const first = cache.resource(ragContext<Lens>({ single: true }))
same<typeof first, Resource<Lens>>(true)
// @ts-expect-error an option that does not exist
ragContext({ ttl: 5 })

// Invalidations

const targets: InvalidationTargets = {
  tags: ['hub:7'],
  entries: { lens: ['a', 7], other: undefined },
  resources: ['lens'],
}
const receipt: InvalidationReceipt = await cache.invalidate(targets, { wait: 'all' })
same<Awaited<ReturnType<typeof lens.invalidateAll>>, InvalidationReceipt>(true)
await lens.invalidate('a')
await lens.invalidate(['a', 7], { wait: 'all', timeoutMs: 500 })
await cache.invalidate({ tags: undefined, resources: ['lens'] })
// @ts-expect-error a target that does not exist
await cache.invalidate({ tag: 'hub:7' })
// @ts-expect-error several are an array
await cache.invalidate({ entries: { lens: 'a' } })
// @ts-expect-error it is to be told what
await cache.invalidate()

// Webhooks

declare const incoming: IncomingMessage
declare const request: Request
const reply: WebhookReply = await cache.handleSupabaseWebhook(incoming)
await cache.handleSupabaseWebhook(request)
await cache.handleSupabaseWebhook({ headers: { authorization: 'x' }, body: '{}' })
const asked: WebhookRequest = { headers: new Headers(), rawBody: Buffer.from('{}') }
await cache.handleSupabaseWebhook(asked)
const dropped: number | undefined = reply.body.invalidated?.entries
const status: number = reply.status
const widened: readonly string[] | undefined = reply.body.widened
const again: boolean | undefined = reply.body.retryable
const refused: CacheErrorCode | undefined = reply.body.code
// @ts-expect-error it is verified by its headers
await cache.handleSupabaseWebhook({ body: '{}' })
declare const change: SupabaseChange
same<typeof change.type, 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE'>(true)

// State

const stats: CacheStats = cache.stats()
const counters: CacheCounters = stats
const { entries, bytes: held, maxEntries, maxBytes, evictions } = stats.near
const ofLens: ResourceCounters | undefined = stats.resources['lens']
const hits: number | undefined = ofLens?.memoryHits
same<typeof stats.breaker, 'closed' | 'open' | 'half-open' | null>(true)
same<typeof stats.hitRate, number | null>(true)
// @ts-expect-error commands are of the whole cache
console.log(ofLens?.storeCommands)
const ended: void = await cache.close()
const page: string = cache.metrics()

try {
  await get('a')
} catch (error) {
  if (!(error instanceof CacheError)) throw error
  const { code, cause } = error
  if (code === 'LOAD_FAILED') console.warn(cause?.code, cause?.message)
}
const id: ResourceId = 'a'
export const used = [
  title,
  fetchedAt,
  source,
  many,
  invalidate,
  weights,
  enabled,
  receipt,
  dropped,
  status,
  [widened, again, refused],
  [whatever, ofAnyKind, lenses],
  counters,
  [entries, held, maxEntries, maxBytes, evictions],
  hits,
  ended,
  page,
  id,
]
