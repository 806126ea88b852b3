// The types of the package. Options are written by dev/option-types.mjs, from lib/option-schema.cjs and dev/option-words.mjs.

// The default instance

/**
 * Replaces the default instance by one with these options, and returns it; calls that are under way end with the old one. Resources
 * belong to the instance that they were made with.
 *
 * Throws `CONFIG_INVALID` if an option is wrong, and changes nothing then.
 */
export declare function configure(options: CacheOptions): SharedCache

/** The default instance, which the functions of this package use: made at its first use, unless `configure()` made one. Asks nobody. */
export declare function sharedCache(): SharedCache

/**
 * The active system prompt, always: from memory while its lease runs, else from Redis, the source, the last known prompt,
 * `legacySource`, the fallback prompt, in this order. Ends within `redisTimeoutMs` + `sourceTimeoutMs`.
 *
 * Rejects only with `CLOSED`, after `close()`.
 */
export declare function fetchActiveSystemPrompt(): Promise<string>

/**
 * The active system prompt with its behaviour fields, its version and the tier it came from. The object is frozen: hits share
 * it. Copy it to change it.
 *
 * Rejects only with `CLOSED`, after `close()`.
 */
export declare function fetchActiveSystemPromptConfig(): Promise<Readonly<SystemPromptConfig>>

/**
 * Drops the prompt everywhere: a read that begins more than `maxStalenessMs` after it resolved is not given the old one, on
 * any instance. Call it after the row was changed. It loads the new prompt for all, which it waits for up to 200 ms. Calls that
 * come within 100 ms of another wait until these are over, and share one; each is given one that began after it.
 *
 * With `{ wait: 'all' }` it resolves when no instance can serve the old prompt any more (but as `stale`, where it is cut off from Redis and
 * source both), and the receipt says how that is known of each: within milliseconds of those that are awake, and after
 * `maxStalenessMs` of those that are frozen or killed. What a receipt cannot speak for: docs/ARCHITECTURE.md, "A receipt".
 *
 * Rejects with `ARGUMENT_INVALID` if the options are not an object with these names (so do not pass it as a callback that is given
 * something). Rejects with `STORE_UNAVAILABLE` if Redis did not take it within `redisTimeoutMs`. It is then tried again in the
 * background, within a second of each other, until it went through or `close()` is called; meanwhile this instance reads
 * from the source, and the other instances may serve the old prompt. Rejects with `CLOSED` after `close()`.
 */
export declare function invalidateSystemPrompt(
  options?: InvalidateOptions,
): Promise<InvalidationReceipt>

/**
 * What a read gives now, how this instance and Redis are, and which instances there are: for `GET /api/debug/system-prompt`. Holds
 * the whole prompt, no URL and no token. Never rejects; ends within `redisTimeoutMs` + `sourceTimeoutMs`.
 */
export declare function debugSystemPrompt(): Promise<SystemPromptDebug>

/** `get`, `set` and `del` of the default instance. */
export declare const cache: Pick<SharedCache, 'get' | 'set' | 'del'>

/** Counts and state of the default instance, without asking anybody. */
export declare function stats(): CacheStats

/**
 * The same for Prometheus, with latencies, staleness and propagation as histograms: text format 0.0.4, to be served as
 * `text/plain; version=0.0.4; charset=utf-8`. Asks nobody.
 */
export declare function metrics(): string

/**
 * Closes the default instance: later calls reject with `CLOSED`, until `configure()` makes a new one. Calls that are under
 * way end as they would have; an invalidation that failed is not tried again. May be called again. Resolves when Redis does not
 * list the instance any more, or did not answer within `redisTimeoutMs`. Without it, a process ends too, and for five minutes
 * and the one after them receipts wait a lease for it.
 */
export declare function close(): Promise<void>

/**
 * Joins the sections of a prompt's payload: `identity`, `voiceGuidelines`, `structureRules`,
 * `knowledgeInstructions`, `boundaries`, each as `## Identity` (`## Voice Guidelines` and so on), a line break and the text,
 * a blank line between them. What is missing, null or empty is left out, and so is every other field.
 *
 * Throws `ARGUMENT_INVALID` if the payload is not an object or a section is not a string.
 */
export declare function assemblePromptContent(payload: object): string

// A cache

/**
 * A cache of many values: the system prompt, and as many kinds as it has resources, all with one guarantee: a second after an
 * invalidation no instance serves the old one. Its values share keys, memory and a stream. It does not keep the process alive, and is
 * closed when it is collected. More: docs/RESOURCES.md.
 */
export declare class SharedCache {
  /** Connects to nothing; the first read does. Throws `CONFIG_INVALID` if an option is wrong. */
  constructor(options?: CacheOptions)
  /** The system prompt of this cache. */
  readonly systemPrompt: SystemPrompt
  /**
   * A kind of value, once for each name. Asks nobody.
   *
   * Throws `CONFIG_INVALID` if an option is wrong, or the cache has a resource of this name.
   */
  resource<V>(options: ResourceOptions<V>): Resource<V>
  /**
   * Drops what is named, everywhere, in one command for each thousand: entries, all entries with a tag, all of a resource;
   * at most 10000 at once. Also of resources that this cache does not have. A read that begins more than `maxStalenessMs`
   * after it resolved is not given what was dropped, on any instance. Options and receipt are those of `invalidateSystemPrompt()`.
   *
   * Rejects with `ARGUMENT_INVALID` if a target or an option is wrong, or none is given; lists may be empty. Rejects with
   * `STORE_UNAVAILABLE` if Redis did not take it (it is then tried again in the background), and with `CLOSED` after `close()`.
   */
  invalidate(
    targets: InvalidationTargets,
    options?: InvalidateOptions,
  ): Promise<InvalidationReceipt>
  /**
   * Invalidates what a changed row of Supabase concerns, for the route that a database webhook calls: verifies the request, asks the
   * `tables` of each resource for the ids, and drops them. Send its `status` and `body` on. It never rejects
   * for anything in the request, and repeats nothing of it.
   */
  handleSupabaseWebhook(request: WebhookRequest): Promise<WebhookReply>
  /**
   * The value under `key`; null if there is none, or no shared cache. A string that is JSON comes back as what it
   * means: `'123'` as a number, as `@upstash/redis` does. What the value is, is not checked: `T` is what you expect.
   *
   * Rejects with `ARGUMENT_INVALID` if the key is not a string of 1 to 32768 bytes, with `STORE_UNAVAILABLE` if Redis
   * does not answer, and with `CLOSED` after `close()`.
   */
  get<T = unknown>(key: string): Promise<T | null>
  /**
   * Keeps `value` under `key` for `ttlSeconds` (1 to 31536000, default 300). Without a shared cache it is not kept.
   *
   * Rejects with `ARGUMENT_INVALID` if the key is not a string of 1 to 32768 bytes, the value is one that JSON leaves out (a
   * function, a symbol, `undefined`), or the TTL is not a whole number in its range; and with what `JSON.stringify` throws,
   * such as `TypeError` for a cycle. Rejects with `STORE_UNAVAILABLE` if Redis does not answer, and with `CLOSED` after `close()`.
   */
  set(key: string, value: unknown, ttlSeconds?: number): Promise<void>
  /**
   * Deletes the value under `key`; whether there was one.
   *
   * Rejects with `ARGUMENT_INVALID` if the key is not a string of 1 to 32768 bytes, with `STORE_UNAVAILABLE` if Redis
   * does not answer, and with `CLOSED` after `close()`.
   */
  del(key: string): Promise<boolean>
  /** Counts and state, without asking anybody. */
  stats(): CacheStats
  /** The same for Prometheus, by resource: text format 0.0.4. Asks nobody. */
  metrics(): string
  /**
   * How this instance and Redis are, and which instances there are. Holds no value, no URL and no token. Never rejects; ends within
   * `redisTimeoutMs`.
   */
  debug(): Promise<CacheDebug>
  /**
   * Later calls reject with `CLOSED`; those that are under way end as they would have. May be called again. Resolves when Redis does not
   * list the instance any more, or did not answer within `redisTimeoutMs`.
   */
  close(): Promise<void>
}

/**
 * All optional. An option comes before its environment variable, key by key; variables are read from `process.env` at the
 * first use of the cache. Caches that share values need the same `keyPrefix`, `maxStalenessMs` and signing keys.
 */
export interface CacheOptions {
  // <options cacheOptions>
  /**
   * URL of the Upstash Redis REST endpoint: `https`, or `http` on a loopback address. An empty string switches the
   * shared cache off. Environment: `UPSTASH_REDIS_REST_URL`. Default: no shared cache.
   */
  upstashUrl?: string | undefined
  /**
   * Token of the Upstash Redis REST endpoint. A URL without a token switches the shared cache off, with one warning; an
   * empty token counts as missing. Environment: `UPSTASH_REDIS_REST_TOKEN`.
   */
  upstashToken?: string | undefined
  /**
   * URL of the Supabase project, the source of the system prompt and of what `supabaseResource()` gives: `https`, or
   * `http` on a loopback address. Without it the prompt comes from `promptFile`, `legacySource` or `fallbackPrompt`.
   * Environment: `SUPABASE_URL`. Default: no Supabase.
   */
  supabaseUrl?: string | undefined
  /**
   * Service role (secret) key of the Supabase project. A URL without a key switches Supabase off, with one warning.
   * Environment: `SUPABASE_SERVICE_ROLE_KEY`.
   */
  supabaseKey?: string | undefined
  /**
   * System prompt that is served when no tier has one. Not empty, and never stored. Environment:
   * `FALLBACK_SYSTEM_PROMPT`. Default: a one-line prompt of this package.
   */
  fallbackPrompt?: string | undefined
  /**
   * Path of a file with one row as JSON (`{ id, title, updated_at, payload }`), relative to the working directory: the
   * source of the system prompt if Supabase is not configured. Environment: `SYSTEM_PROMPT_FILE`.
   */
  promptFile?: string | undefined
  /**
   * Asked when the source has no system prompt or does not answer; null, undefined and an error mean that it has none
   * either. It has the second half of `sourceTimeoutMs`; the source then has the first. Its prompt is served and never
   * stored.
   */
  legacySource?:
    | (() =>
        | string
        | LegacyPrompt
        | null
        | undefined
        | Promise<string | LegacyPrompt | null | undefined>)
    | undefined
  /**
   * What all keys in the store begin with: 1 to 200 of the characters `A-Z a-z 0-9 : _ . -`. Instances share values
   * only if they have the same prefix. Default: `grove`.
   */
  keyPrefix?: string | undefined
  /**
   * Secret of at least 32 characters that signs all stored values, the same in all instances. It prevents anyone with
   * only the Redis token from storing a value of their own, or an old one again. A new instance then asks the source
   * first. Environment: `SYSTEM_PROMPT_SIGNING_KEY`. Default: nothing is signed.
   */
  signingKey?: string | undefined
  /**
   * Second secret of at least 32 characters whose signatures are accepted too, while `signingKey` is changed.
   * Environment: `SYSTEM_PROMPT_SECOND_SIGNING_KEY`.
   */
  secondSigningKey?: string | undefined
  /**
   * Seconds until the stored system prompt expires, 1 to 31536000: how long a change without an invalidation may stay
   * unseen. 0 is refused: no prompt is kept for ever. Resources have a `ttlSeconds` of their own. Default: 300.
   */
  ttlSeconds?: number | undefined
  /**
   * Milliseconds, 0 to 3600000: the bound of the guarantee. A value is served from memory for this long after it was
   * last confirmed; an instance that no push reached may serve an old value for as long. The same in all instances. 0:
   * every read asks the store, which costs a command each. Default: 1000.
   */
  maxStalenessMs?: number | undefined
  /**
   * Milliseconds that a read waits for the store, and that an invalidation has, 1 to 3600000. 0 is refused: nothing
   * waits for ever. Default: 500.
   */
  redisTimeoutMs?: number | undefined
  /**
   * Milliseconds that a read waits for the source and `legacySource` together, 1 to 3600000; also for the loader of a
   * resource without a `loadTimeoutMs`. 0 is refused: nothing waits for ever. Default: 2000.
   */
  sourceTimeoutMs?: number | undefined
  /**
   * Entries in memory, of all resources together, 1 to 10000000. Beyond that, entries that are rarely read are evicted;
   * their next read asks the store. Default: 50000.
   */
  maxEntries?: number | undefined
  /**
   * Bytes in memory that values and their ids take, 65536 to 68719476736. Beyond that, entries are evicted as with
   * `maxEntries`. Default: 67108864 (64 MiB).
   */
  maxBytes?: number | undefined
  /**
   * Whether to receive the invalidations of other instances at once, over a stream from the store. Without it they are
   * seen within `maxStalenessMs`. Default: true.
   */
  push?: boolean | undefined
  /** The least severe level that is logged. `debug` has a line for each read. Default: `info`. */
  logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined
  /**
   * Receives each log line instead of the console, for your logger or tracer. What it throws is ignored. Default: the
   * console.
   */
  onLog?:
    ((line: { level: 'debug' | 'info' | 'warn' | 'error'; message: string }) => void) | undefined
  /**
   * Secret of at least 32 characters that `handleSupabaseWebhook()` verifies requests with. The variable is read when
   * the first request comes. Environment: `SUPABASE_WEBHOOK_SECRET`. Default: webhooks are refused.
   */
  webhookSecret?: string | undefined
  // </options>
}

/** What `legacySource` may give instead of a string. Behaviour fields that are missing take their defaults. */
export interface LegacyPrompt {
  /** The prompt; not empty, up to 4 MiB. */
  content: string
  /** What `SystemPromptConfig.source` shows. Default: `legacy`. */
  source?: string
  responseMode?: string
  closingBehavior?: string
  useBreadcrumbTags?: boolean
  useTopicTags?: boolean
  useNavigationBlocks?: boolean
}

// The system prompt

/** The system prompt of a cache: `sharedCache().systemPrompt` is that of the package's functions. */
export interface SystemPrompt {
  /** As `fetchActiveSystemPrompt()`. */
  fetchActiveSystemPrompt(): Promise<string>
  /** As `fetchActiveSystemPromptConfig()`. */
  fetchActiveSystemPromptConfig(): Promise<Readonly<SystemPromptConfig>>
  /** As `invalidateSystemPrompt()`. */
  invalidateSystemPrompt(options?: InvalidateOptions): Promise<InvalidationReceipt>
  /** As `debugSystemPrompt()`. */
  debugSystemPrompt(): Promise<SystemPromptDebug>
}

/** The active system prompt with everything that is known about it. */
export interface SystemPromptConfig {
  /** The assembled prompt. */
  content: string
  /** Default: `architect`. */
  responseMode: string
  /** Default: `navigation`. */
  closingBehavior: string
  /** Default: true. */
  useBreadcrumbTags: boolean
  /** Default: true. */
  useTopicTags: boolean
  /** Default: true. */
  useNavigationBlocks: boolean
  /** Where the prompt was loaded from first: `supabase`, `file`, `legacy` (or the name that `legacySource` gave), `fallback`. */
  source: string
  /** When it was loaded from there, in milliseconds since 1970; `SystemPromptDebug.fetchedAt` is the same in ISO 8601. */
  fetchedAt: number
  /** The row's `updated_at`; null for a prompt that came from no row. */
  version: string | null
  /** The row's title; null for a prompt that has none. */
  title: string | null
  /** The store's generation that it was last known to be of; null where the store gave none for it. */
  generation: number | null
  /**
   * The tier that answered this read: `memory` is this process, under a lease; `redis` gave it or confirmed it; `stale` is
   * the last known prompt while neither Redis nor the source answers; `fallback` stands for `legacySource` too.
   */
  tier: 'memory' | 'redis' | 'source' | 'stale' | 'fallback'
}

/** What `debugSystemPrompt()` gives: everything that `GET /api/debug/system-prompt` shows. */
export interface SystemPromptDebug extends CacheDebug {
  /** As in `SystemPromptConfig`. */
  source: string
  /** ISO 8601, in UTC; `SystemPromptConfig.fetchedAt` is the same in milliseconds. */
  fetchedAt: string
  responseMode: string
  closingBehavior: string
  useBreadcrumbTags: boolean
  useTopicTags: boolean
  useNavigationBlocks: boolean
  /** As `String.length` counts. */
  contentLength: number
  /** The first 500 characters, and three dots whether or not there are more. */
  contentPreview: string
  fullContent: string
  version: string | null
  title: string | null
  tier: 'memory' | 'redis' | 'source' | 'stale' | 'fallback'
  redis: RedisStatus
}

// Resources

/**
 * The name of an entry in its resource: a well-formed string of 1 to 512 bytes in UTF-8, or a safe integer, which is the same as its
 * decimal string. Any characters may be in it, so it may come from a user: none can name the key of another entry.
 */
export type ResourceId = string | number

/** What a loader is given beside the id. */
export interface LoadContext {
  /** Aborted when the time of the load is over, with a `TimeoutError` as its reason. What the loader gives then is not read. */
  readonly signal: AbortSignal
}

/** What is the same for a resource with a loader and one that is read from Supabase. */
export interface ResourceOptionsBase<V> {
  // <options resourceOptions name, ttlSeconds, loadTimeoutMs, fallback, tags, tables>
  /**
   * What it is called in keys, metrics and invalidations, the same in all instances: 1 to 64 of the characters
   * `a-z 0-9 _ . -`.
   */
  name: string
  /**
   * Seconds until a stored value expires, 1 to 31536000: how long a change without an invalidation may stay unseen.
   * Default: 300.
   */
  ttlSeconds?: number | undefined
  /** Milliseconds that a load has, 1 to 3600000. Default: `sourceTimeoutMs` of the cache. */
  loadTimeoutMs?: number | undefined
  /**
   * Served when neither Redis nor the loader answers and there is no last known value; never stored. A function is
   * called with the id and gives the value, not a promise of one; `undefined` is none, and the read rejects then.
   * Default: none.
   */
  fallback?: (V | null | ((id: string) => V | null | undefined)) | undefined
  /**
   * Groups that an entry belongs to, for all entries or for each id: `cache.invalidate({ tags })` drops every entry
   * that has one of them. A tag is a well-formed string of 1 to 1024 characters. If a function throws, or gives
   * something else, the read rejects with `ARGUMENT_INVALID`. Each tag of an entry is one more key that its reads look
   * at. Default: none.
   */
  tags?: (readonly string[] | ((id: string) => readonly string[])) | undefined
  /**
   * For webhooks: by `table` (of the schema `public`) or `schema.table`, which ids a changed row concerns, or `true`
   * for the whole resource. Called for the row as it is and for the row as it was. Default: none; that of
   * `supabaseResource()` is automatic.
   */
  tables?: Readonly<Record<string, true | RowIds | undefined>> | undefined
  // </options>
}

/** Which entries a changed row concerns; null and undefined: none. */
export type RowIds = (
  row: Record<string, any>,
  change: SupabaseChange,
) => ResourceId | readonly ResourceId[] | null | undefined

/** A resource whose values a function of yours loads. */
export interface LoaderResourceOptions<V> extends ResourceOptionsBase<V> {
  // <options resourceOptions load!>
  /**
   * Gives the value of an id: a string, bytes, or anything that JSON has text for. `null` and `undefined`: there is
   * none. What it throws or rejects with, a value that JSON has no text for, and one that is late are failures: the
   * last known value is served, or the fallback, or the read rejects with `LOAD_FAILED`. The id is always a string.
   */
  load: (
    id: string,
    context: LoadContext,
  ) => V | null | undefined | PromiseLike<V | null | undefined>
  // </options>
  supabase?: undefined
}

/** A resource that is read from Supabase, without a function of yours: what `supabaseResource()` gives. */
export interface SupabaseBackedResourceOptions<V> extends ResourceOptionsBase<V> {
  // <options resourceOptions supabase!>
  /** What is read from Supabase in place of a loader. */
  supabase: SupabaseQuery
  // </options>
  load?: undefined
}

/** What `cache.resource()` takes: a loader, or what `supabaseResource()` gives. */
export type ResourceOptions<V = unknown> =
  LoaderResourceOptions<V> | SupabaseBackedResourceOptions<V>

/**
 * What comes back of a value that was loaded: a string as it was; bytes as a `Buffer`, a fresh copy each time; anything else as
 * `JSON.parse(JSON.stringify(value))` has it, deeply frozen, because hits share it.
 */
export type Cached<V> = 0 extends 1 & V
  ? V
  : V extends Uint8Array | ArrayBuffer
    ? Buffer
    : CachedJson<V>

/** `Cached`, of what JSON says. */
export type CachedJson<V> = 0 extends 1 & V
  ? V
  : V extends string | number | boolean | null | undefined
    ? V
    : V extends { toJSON(...words: any[]): infer J }
      ? CachedJson<J>
      : V extends object
        ? { readonly [K in keyof V]: CachedJson<V[K]> }
        : V

/** One kind of value, under many ids. Frozen; its functions need no `this`. One of any kind is a `Resource<unknown>`. */
export type Resource<V> = ResourceGiving<Cached<V>>

/** A `Resource`, by what its reads give. */
export interface ResourceGiving<C> {
  readonly name: string
  /**
   * The value of an id; null if there is none. From memory while its lease runs, else from Redis, the loader, the last known value (unless
   * an invalidation has superseded it), the fallback, in this order. Ends within `redisTimeoutMs` + `loadTimeoutMs`. Calls for one
   * id at a time share a load. That there is none is held for a lease, and never stored.
   *
   * Rejects with `ARGUMENT_INVALID` if the id is none, or `tags` throws or gives what is no tag; with `LOAD_FAILED` if nobody has a value;
   * and with `CLOSED` after `close()`.
   */
  readonly get: (id: ResourceId) => Promise<C | null>
  /** As `get`, with where the value came from. */
  readonly getEntry: (id: ResourceId) => Promise<EntryGiving<C>>
  /** As `get` of each id at once, in their order; rejects if one does, and with `ARGUMENT_INVALID` if it is no array of ids. */
  readonly getMany: (ids: readonly ResourceId[]) => Promise<Array<C | null>>
  /** Drops one entry or several, everywhere, as `cache.invalidate({ entries: { [name]: ids } })` does. */
  readonly invalidate: (
    ids: ResourceId | readonly ResourceId[],
    options?: InvalidateOptions,
  ) => Promise<InvalidationReceipt>
  /** Drops all entries, everywhere, by one command: `cache.invalidate({ resources: [name] })`. */
  readonly invalidateAll: (options?: InvalidateOptions) => Promise<InvalidationReceipt>
}

/** A value with everything that is known about it. Frozen. */
export type ResourceEntry<V> = EntryGiving<Cached<V>>

/** A `ResourceEntry`, by what its value is. */
export interface EntryGiving<C> {
  /** As `get` gives it. */
  readonly value: C | null
  /** As `SystemPromptConfig.tier`. */
  readonly tier: 'memory' | 'redis' | 'source' | 'stale' | 'fallback'
  /** Where it was loaded from first. */
  readonly source: string
  /** When it was loaded from there, in milliseconds since 1970. */
  readonly fetchedAt: number
  /**
   * The generations under which it was last known to be true, separated by commas: its own, its resource's, that of each tag. Compare it with
   * `===` only. Null where the store gave none.
   */
  readonly generation: string | null
}

// Resources that are read from Supabase

/** A row as PostgREST gives it, where nothing more is known of it. */
export type SupabaseRow = Record<string, unknown>

/** What is read: `GET /rest/v1/<table>?select=<select>&<match>=eq.<id>`, with the rest where it is given. */
export interface SupabaseQuery {
  // <options queryOptions>
  /** A table or view. */
  table: string
  /** Schema of the table. Default: the first schema that the project exposes, mostly `public`. */
  schema?: string | undefined
  /** Columns and embedded tables, as PostgREST has them. Default: `*`. */
  select?: string | undefined
  /** The column that holds the id. */
  match: string
  /** Further columns, and the value that each must have. */
  where?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  /** As PostgREST has it: `rank.desc,id`. Default: none. */
  order?: string | undefined
  /** Rows at most, 1 to 1000000. Default: what the project allows. */
  limit?: number | undefined
  /** Whether the value is the first row, or null if there is none, instead of an array of all rows. Default: false. */
  single?: boolean | undefined
  // </options>
}

/** The options of `supabaseResource()`: the query and, but for `load`, what any resource has. */
export interface SupabaseResourceOptions<V = unknown>
  extends ResourceOptionsBase<V>, SupabaseQuery {}

/**
 * The options for a resource that the addon reads from Supabase by itself, off the event loop. A webhook for its table
 * invalidates the entries that the row's `match` column names, before the change and after it.
 *
 * Throws `CONFIG_INVALID` if an option of the query is wrong; `cache.resource()` checks the others.
 */
export declare function supabaseResource<Row = SupabaseRow>(
  options: SupabaseResourceOptions<Row> & { single: true },
): ResourceOptions<Row>
export declare function supabaseResource<Row = SupabaseRow>(
  options: SupabaseResourceOptions<Row[]> & { single?: false | undefined },
): ResourceOptions<Row[]>

/** What a ready-made resource takes in place of its own. */
export type ResourceOverrides<V> = Partial<SupabaseResourceOptions<V>>

/**
 * The documents of a hub: `rag-context`, the rows of `rag_documents` by `hub_id`, for 3600 seconds, with the tag `hub:<id>`.
 *
 * Throws `CONFIG_INVALID` if an option is wrong.
 */
export declare function ragContext<Row = SupabaseRow>(
  overrides?: ResourceOverrides<Row[]> & { single?: false | undefined },
): ResourceOptions<Row[]>
export declare function ragContext<Row = SupabaseRow>(
  overrides: ResourceOverrides<Row> & { single: true },
): ResourceOptions<Row>

/**
 * One lens: `lens`, the row of `lenses` by `id`, for 600 seconds.
 *
 * Throws `CONFIG_INVALID` if an option is wrong.
 */
export declare function lensConfiguration<Row = SupabaseRow>(
  overrides?: ResourceOverrides<Row> & { single?: true | undefined },
): ResourceOptions<Row>
export declare function lensConfiguration<Row = SupabaseRow>(
  overrides: ResourceOverrides<Row[]> & { single: false },
): ResourceOptions<Row[]>

/**
 * One feature flag: `feature-flag`, the row of `feature_flags` by `key`, for 300 seconds.
 *
 * Throws `CONFIG_INVALID` if an option is wrong.
 */
export declare function featureFlag<Row = SupabaseRow>(
  overrides?: ResourceOverrides<Row> & { single?: true | undefined },
): ResourceOptions<Row>
export declare function featureFlag<Row = SupabaseRow>(
  overrides: ResourceOverrides<Row[]> & { single: false },
): ResourceOptions<Row[]>

/**
 * The nodes of a hub with the edges of each: `narrative-graph`, the rows of `narrative_nodes` by `hub_id` with their `narrative_edges`,
 * for 300 seconds, with the tag `hub:<id>`. A changed edge concerns the hub of its own row; where edges lack
 * that column, it drops all graphs.
 *
 * Throws `CONFIG_INVALID` if an option is wrong.
 */
export declare function narrativeGraph<Row = SupabaseRow>(
  overrides?: ResourceOverrides<Row[]> & { single?: false | undefined },
): ResourceOptions<Row[]>
export declare function narrativeGraph<Row = SupabaseRow>(
  overrides: ResourceOverrides<Row> & { single: true },
): ResourceOptions<Row>

// Invalidations

/** What an invalidation is of. At least one is to be given; a list may be empty. */
export interface InvalidationTargets {
  /** Every entry of any resource that has one of these tags. */
  readonly tags?: readonly string[] | undefined
  /** Entries, by the name of their resource. */
  readonly entries?: Readonly<Record<string, readonly ResourceId[] | undefined>> | undefined
  /** All entries of these resources. */
  readonly resources?: readonly string[] | undefined
}

/** What an invalidation waits for, and for how long: `timeoutMs` only comes with `wait: 'all'`. */
export type InvalidateOptions =
  | (InvalidateOptionsBase & { wait?: 'commit' | undefined; timeoutMs?: undefined })
  | (InvalidateOptionsBase & { wait: 'all' })

/** `InvalidateOptions`, each by itself. */
export interface InvalidateOptionsBase {
  // <options invalidateOptions>
  /**
   * `commit`: until Redis took it, and the other instances have been told. `all`: until no instance can serve the old
   * value any more, which the receipt then proves. Default: `commit`.
   */
  wait?: 'commit' | 'all' | undefined
  /**
   * Milliseconds after the commit, 1 to 3600000: the longest that `wait: 'all'` waits for the instances, and refused
   * without it. What is not confirmed by then is null in the receipt, and its list may be short: look at
   * `provenAfterMs`. Default: until it is proven, which takes the longest `maxStalenessMs` of the instances at most.
   */
  timeoutMs?: number | undefined
  // </options>
}

/** Proof that an invalidation went through. */
export interface InvalidationReceipt {
  /** The generation that the invalidation opened; null without a shared cache. */
  generation: number | null
  /** Whether it went through the shared cache. False without one: then it reached this instance only. */
  shared: boolean
  /** When the store acknowledged it, in milliseconds since 1970 by this instance's clock. */
  committedAt: number
  /** With `wait: 'all'`, each instance that was listed, this one first; empty without. */
  instances: Array<InstanceReceipt>
  /**
   * With `wait: 'all'`, how many milliseconds after the commit it was proven that no instance serves the old prompt. Null if that was
   * not waited for, not proven within `timeoutMs`, or there is no shared cache.
   */
  provenAfterMs: number | null
}

/** How it is known that one instance does not serve the old prompt any more. */
export interface InstanceReceipt {
  /** As `stats().instance` names it there. */
  id: string
  /** Milliseconds after the commit; null if it was not known within `timeoutMs`. */
  confirmedAfterMs: number | null
  /**
   * `ack`: it said so. `lease-expired`: it said nothing for as long as it may serve a prompt without asking (it is frozen, killed, cut
   * off, or nobody reads there and no push tells it; with a signing key it acknowledges when it reads). `gone`: the same, and it is
   * not listed any more. Null if it was not known in time.
   */
  by: 'ack' | 'lease-expired' | 'gone' | null
}

// Webhooks

/** What Supabase tells of a changed row: the body of a database webhook. */
export interface SupabaseChange {
  readonly type: 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE'
  readonly schema: string
  readonly table: string
  /** The row as it is; null for one that is gone. */
  readonly record: Record<string, any> | null
  /** The row as it was; null for a new one. */
  readonly old_record: Record<string, any> | null
}

/**
 * A Fetch `Request`, a request of Node or Express, or `{ headers, body }`. A body that was parsed already can be verified by the shared
 * secret, and not by a signature: keep the bytes, as `express.raw()` does, or a `rawBody`.
 */
export interface WebhookRequest {
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body?: unknown
  readonly rawBody?: unknown
}

/** What a webhook is answered with: `response.status(reply.status).json(reply.body)`. */
export interface WebhookReply {
  /**
   * 200: invalidated, or nothing to invalidate. 400: malformed. 401: not verified. 413: over 1 MiB. 500: there is no secret, or this
   * package made a mistake, which is logged. 503: Redis did not take it; it is tried again in the background, and Supabase may call
   * again.
   */
  readonly status: number
  readonly body: {
    /** How many were invalidated; with status 200. */
    readonly invalidated?: {
      readonly entries: number
      readonly resources: number
      readonly tags: number
    }
    /** That no resource reads the table. */
    readonly ignored?: boolean
    /** The resources that were dropped as a whole because of what a map in their `tables` did; the log has why. */
    readonly widened?: readonly string[]
    /** Whether it may be sent again; with status 503. */
    readonly retryable?: boolean
    /** Why not, as `CacheError.code`; with status 503. */
    readonly code?: CacheErrorCode
    /** What was wrong, in words of this package. */
    readonly error?: string
  }
}

// State

/** What `stats()` gives: counts since the cache was made, over the system prompt and all resources, and how it is now. */
export interface CacheStats extends CacheCounters, CacheState {}

/** Counts since the cache was made. */
export interface CacheCounters {
  /** Reads that began. */
  reads: number
  /** Reads served from this process's memory, under a lease. */
  memoryHits: number
  /** Reads that shared a load which another one had begun. */
  joined: number
  /** Loads that the store answered with the prompt, or by confirming the one in memory. */
  hits: number
  /** Loads that the source answered. */
  loaded: number
  /** Looks into the store that found nothing usable; a load that waits for another instance's looks more than once. */
  misses: number
  /** Misses because of something that this package did not write, or not whole. */
  foreign: number
  /** Misses because of a prompt in the store whose signature was missing, wrong, or of a time that is over. */
  signaturesRefused: number
  /** Reads and writes of the prompt that the store did not answer, or was not asked for while its breaker is open. */
  storeFaults: number
  /** How often the store's breaker opened. */
  breakerOpened: number
  /** Requests to the source. */
  sourceReads: number
  /** Requests that the source did not answer. */
  sourceFaults: number
  /** Loads answered by the last known prompt, because neither Redis nor the source answered. */
  stale: number
  /** Loads that `legacySource` or the fallback prompt answered. */
  fallbacks: number
  /** Prompts written to the store. */
  fills: number
  /** Prompts not written, because an invalidation came between. */
  fillsRefused: number
  /** Invalidations that went through; calls that came together count as one. */
  invalidations: number
  /** Invalidations that did not reach the store. */
  invalidationsFailed: number
  /** Invalidations made here that the other instances could not be told of; they find out when their leases end. */
  publishesFailed: number
  /** Announcements of invalidations that arrived. */
  pushes: number
  /** How often the push stream was opened. */
  pushConnects: number
  /** Loads begun because the stored prompt was gone or about to expire. */
  refreshes: number
  /** Commands sent to Redis, and those inside scripts: what its plan counts. The push stream is not among them. */
  storeCommands: number
}

/** How one instance is, as far as it knows without asking. */
export interface CacheState {
  /** The id of this instance, by which receipts and the fleet name it. A worker thread and a `SharedCache` have their own. */
  instance: string
  /** Whether `close()` was called. */
  closed: boolean
  /** The share of the reads that were served from memory, 0 to 1; null before the first one. */
  hitRate: number | null
  /** The values in memory. */
  near: NearStatus
  /** The system prompt in memory. */
  systemPrompt: SystemPromptStatus
  /** The stream of announcements. */
  push: PushStatus
  /** As `RedisStatus.breaker`. */
  breaker: 'closed' | 'open' | 'half-open' | null
  /** As `RedisStatus.invalidationPending`. */
  invalidationPending: boolean
  /** What each tier failed with last, since the cache was made, in one word. */
  lastErrors: LastErrors
  /** By the name of each. The system prompt is there as `system-prompt` once it was used. */
  resources: Record<string, ResourceCounters>
}

/** What is counted for each resource. */
export type ResourceCounters = Pick<
  CacheCounters,
  | 'reads'
  | 'memoryHits'
  | 'joined'
  | 'hits'
  | 'loaded'
  | 'misses'
  | 'foreign'
  | 'signaturesRefused'
  | 'storeFaults'
  | 'sourceReads'
  | 'sourceFaults'
  | 'stale'
  | 'fallbacks'
  | 'fills'
  | 'fillsRefused'
  | 'refreshes'
>

/** The values in memory. */
export interface NearStatus {
  entries: number
  /** What values and ids take. */
  bytes: number
  maxEntries: number
  maxBytes: number
  /** Entries that left because of a bound. */
  evictions: number
}

/** The system prompt in memory. */
export interface SystemPromptStatus {
  /** Milliseconds since it was last asked for; null if there is none. */
  ageMs: number | null
  /**
   * Milliseconds for which it is served without asking; 0 if the lease is over, null if there is none, or it was ended by an
   * invalidation, a push, or the push stream being opened.
   */
  leaseLeftMs: number | null
  /** The generation that it is of; null where Redis gave none for it. */
  generation: number | null
}

/** The stream of announcements. */
export interface PushStatus {
  /** Whether there is one: a shared cache, and the option `push`. */
  enabled: boolean
  /** Whether it is open now. */
  connected: boolean
  /** How often it was opened again. */
  reconnects: number
  /** Milliseconds since it was opened or an announcement came; null if neither happened yet. */
  lastEventAgoMs: number | null
}

/** What each tier failed with last. */
export interface LastErrors {
  /** A word of `RedisStatus.error`; null if it has not failed yet. */
  redis: string | null
  /** The same of Supabase; of a `promptFile`, `unreadable` too; of the loader of a resource, `load-failed`. */
  source: string | null
  /** The same of opening the push stream. */
  push: string | null
}

/** What `debug()` of a `SharedCache` gives. */
export interface CacheDebug extends CacheState {
  redis: RedisConnection
  /** The instances that have read, or acknowledged a change, within five minutes (1000 at most); null without a shared cache, or if Redis did not say. */
  fleet: Array<FleetInstance> | null
  counters: CacheCounters
}

/** The state of the shared cache. */
export interface RedisConnection {
  /** Whether there is a shared cache: URL and token are set, and nothing about them or the signing key is wrong. */
  configured: boolean
  /** Why there is none; null if there is. */
  reason: string | null
  /** Whether it answered just now. */
  reachable: boolean
  /** Milliseconds that the answer took; null without one. */
  latencyMs: number | null
  /**
   * Whether an invalidation made here did not reach Redis yet. It is tried again until it does; meanwhile this instance
   * reads from the source.
   */
  invalidationPending: boolean
  /** Whether the push stream is open. It is opened by the first read; without it a change is seen when a lease ends. */
  pushConnected: boolean
  /** Whether what is stored there is signed, and only what is signed is served. */
  signed: boolean
  /**
   * The circuit breaker in front of it: `closed` while it answers, `open` after repeated faults: then it is asked once a
   * second, and while that is under way it is `half-open`. Null if not configured.
   */
  breaker: 'closed' | 'open' | 'half-open' | null
  /**
   * Why it did not answer, in one word: `timeout`, `unreachable`, `interrupted`, `unauthorized`, `quota`, `redirected`,
   * `status`, `rejected`, `too-large`, `malformed`. Null if it did, or is not configured.
   */
  error: string | null
}

/** The state of the shared cache, with that of the stored prompt. */
export interface RedisStatus extends RedisConnection {
  /** Seconds until the stored prompt expires; null where none is stored. */
  ttlSeconds: number | null
  /** The generation that this read saw; null if it saw none. */
  generation: number | null
}

/** One instance that has said how it stands within five minutes, or twice its lease. */
export interface FleetInstance {
  /** As `stats().instance` names it there. */
  id: string
  /** The last generation that it has acknowledged: it serves nothing older. Null if it has met none yet. */
  generation: number | null
  /** Its `maxStalenessMs`. */
  leaseMs: number
  /** Whether it is the one that answers. */
  self: boolean
}

// Errors

/**
 * What `code` of an error of this package may be: `CONFIG_INVALID` (an option), `ARGUMENT_INVALID` (an argument of a call),
 * `STORE_UNAVAILABLE` (Redis did not take it), `LOAD_FAILED` (a resource has no value to give), `CLOSED` (after `close()`), `INTERNAL` (a
 * mistake in this package). Where no addon fits the machine, the import itself throws an error with the code `ADDON_UNAVAILABLE`.
 */
export type CacheErrorCode =
  | 'CONFIG_INVALID'
  | 'ARGUMENT_INVALID'
  | 'STORE_UNAVAILABLE'
  | 'LOAD_FAILED'
  | 'CLOSED'
  | 'INTERNAL'

/**
 * What the calls of this package throw (`CONFIG_INVALID`, and `ARGUMENT_INVALID` where they return no promise) and reject with (all
 * codes).
 *
 * | code                | when                                                             | what to do                                             |
 * | ------------------- | ---------------------------------------------------------------- | ------------------------------------------------------ |
 * | `CONFIG_INVALID`    | an option is wrong; the message names it, its value and the rule | mend the call                                          |
 * | `ARGUMENT_INVALID`  | an argument of a call is wrong                                   | mend the call                                          |
 * | `STORE_UNAVAILABLE` | Redis did not take an invalidation, or `cache.get / set / del`   | as the message says; `retryable` tells whether it helps |
 * | `LOAD_FAILED`       | a resource's loader failed, and nothing can stand in              | try again; `cause` has its message                     |
 * | `CLOSED`            | a call after `close()`                                           | `configure()` again, or make a new cache               |
 * | `INTERNAL`          | the call met a mistake in this package                           | report it; the process and the cache go on             |
 */
export declare class CacheError extends Error {
  /** For tests of how your code handles one. `retryable`: default false. */
  constructor(
    code: CacheErrorCode,
    message: string,
    options?: { retryable?: boolean | undefined; cause?: (Error & { code: string }) | undefined },
  )
  readonly code: CacheErrorCode
  /** Whether the same call may succeed later without a change to the program, its options or the store. */
  readonly retryable: boolean
  /** What was behind it, where something was; its `code` is one word, as in `RedisStatus.error`. */
  readonly cause?: Error & { code: string }
}
