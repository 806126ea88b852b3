// The words of each option of `lib/option-schema.cjs`, for the types and the README. A program that runs does not read them.

/**
 * @typedef {object} Words
 * @property {string} [typescript] the type, if it is neither `type` nor `oneOf` of the schema
 * @property {string} [note] about the default
 * @property {string} [otherwise] what happens if the option is left out and the schema has no default
 * @property {string} doc for the types; `{range}` stands for least and most
 * @property {string} [row] for the README's table
 */

/** Of a `SharedCache`. @type {Record<string, Words>} */
export const cacheOptions = {
  upstashUrl: {
    otherwise: 'no shared cache',
    doc: 'URL of the Upstash Redis REST endpoint: `https`, or `http` on a loopback address. An empty string switches the shared cache off.',
    row: 'REST URL of Upstash Redis; empty switches the shared cache off',
  },
  upstashToken: {
    doc: 'Token of the Upstash Redis REST endpoint. A URL without a token switches the shared cache off, with one warning; an empty token counts as missing.',
    row: 'its token',
  },
  supabaseUrl: {
    otherwise: 'no Supabase',
    doc: 'URL of the Supabase project, the source of the system prompt and of what `supabaseResource()` gives: `https`, or `http` on a loopback address. Without it the prompt comes from `promptFile`, `legacySource` or `fallbackPrompt`.',
    row: 'URL of the Supabase project',
  },
  supabaseKey: {
    doc: 'Service role (secret) key of the Supabase project. A URL without a key switches Supabase off, with one warning.',
    row: 'its service role (secret) key',
  },
  fallbackPrompt: {
    otherwise: 'a one-line prompt of this package',
    doc: 'System prompt that is served when no tier has one. Not empty, and never stored.',
    row: 'served when no tier has a prompt',
  },
  promptFile: {
    doc: 'Path of a file with one row as JSON (`{ id, title, updated_at, payload }`), relative to the working directory: the source of the system prompt if Supabase is not configured.',
    row: 'a row as JSON: the source if Supabase is not configured',
  },
  legacySource: {
    typescript:
      '() => string | LegacyPrompt | null | undefined | Promise<string | LegacyPrompt | null | undefined>',
    doc: 'Asked when the source has no system prompt or does not answer; null, undefined and an error mean that it has none either. It has the second half of `sourceTimeoutMs`; the source then has the first. Its prompt is served and never stored.',
    row: 'your function, asked when the source has nothing; has half of `sourceTimeoutMs`',
  },
  keyPrefix: {
    doc: 'What all keys in the store begin with: 1 to 200 of the characters `A-Z a-z 0-9 : _ . -`. Instances share values only if they have the same prefix.',
    row: 'what all keys in Redis begin with',
  },
  signingKey: {
    otherwise: 'nothing is signed',
    doc: 'Secret of at least 32 characters that signs all stored values, the same in all instances. It prevents anyone with only the Redis token from storing a value of their own, or an old one again. A new instance then asks the source first.',
    row: 'signs what is stored: [docs/SECURITY.md](docs/SECURITY.md#a-signing-key)',
  },
  secondSigningKey: {
    doc: 'Second secret of at least 32 characters whose signatures are accepted too, while `signingKey` is changed.',
    row: 'accepted too, while the key is changed',
  },
  ttlSeconds: {
    doc: 'Seconds until the stored system prompt expires, {range}: how long a change without an invalidation may stay unseen. 0 is refused: no prompt is kept for ever. Resources have a `ttlSeconds` of their own.',
    row: 'how long a change of the prompt without an invalidation may stay unseen',
  },
  maxStalenessMs: {
    doc: 'Milliseconds, {range}: the bound of the guarantee. A value is served from memory for this long after it was last confirmed; an instance that no push reached may serve an old value for as long. The same in all instances. 0: every read asks the store, which costs a command each.',
    row: 'the bound of the guarantee: how long a value is served without asking; 0: not at all',
  },
  redisTimeoutMs: {
    doc: 'Milliseconds that a read waits for the store, and that an invalidation has, {range}. 0 is refused: nothing waits for ever.',
    row: 'how long a read waits for Redis, and an invalidation may take',
  },
  sourceTimeoutMs: {
    doc: 'Milliseconds that a read waits for the source and `legacySource` together, {range}; also for the loader of a resource without a `loadTimeoutMs`. 0 is refused: nothing waits for ever.',
    row: 'how long a read waits for the source and `legacySource` together, and for a loader',
  },
  maxEntries: {
    doc: 'Entries in memory, of all resources together, {range}. Beyond that, entries that are rarely read are evicted; their next read asks the store.',
    row: 'entries in memory, of all resources together',
  },
  maxBytes: {
    doc: 'Bytes in memory that values and their ids take, {range}. Beyond that, entries are evicted as with `maxEntries`.',
    note: '64 MiB',
    row: 'bytes in memory, of all resources together',
  },
  push: {
    doc: 'Whether to receive the invalidations of other instances at once, over a stream from the store. Without it they are seen within `maxStalenessMs`.',
    row: 'receive changes at once; without it they are seen when a lease ends',
  },
  logLevel: {
    doc: 'The least severe level that is logged. `debug` has a line for each read.',
    row: '`debug`, `info`, `warn`, `error` or `silent`; `debug` has a line for each read',
  },
  onLog: {
    typescript: "(line: { level: 'debug' | 'info' | 'warn' | 'error'; message: string }) => void",
    otherwise: 'the console',
    doc: 'Receives each log line instead of the console, for your logger or tracer. What it throws is ignored.',
    row: 'receives `{ level, message }` for each line',
  },
  webhookSecret: {
    otherwise: 'webhooks are refused',
    doc: 'Secret of at least 32 characters that `handleSupabaseWebhook()` verifies requests with. The variable is read when the first request comes.',
    row: 'what webhooks are verified with: [docs/WEBHOOKS.md](docs/WEBHOOKS.md)',
  },
}

/** Of `cache.resource()`. @type {Record<string, Words>} */
export const resourceOptions = {
  name: {
    typescript: 'string',
    doc: 'What it is called in keys, metrics and invalidations, the same in all instances: 1 to 64 of the characters `a-z 0-9 _ . -`.',
  },
  ttlSeconds: {
    doc: 'Seconds until a stored value expires, {range}: how long a change without an invalidation may stay unseen.',
  },
  load: {
    typescript:
      '(id: string, context: LoadContext) => V | null | undefined | PromiseLike<V | null | undefined>',
    doc: 'Gives the value of an id: a string, bytes, or anything that JSON has text for. `null` and `undefined`: there is none. What it throws or rejects with, a value that JSON has no text for, and one that is late are failures: the last known value is served, or the fallback, or the read rejects with `LOAD_FAILED`. The id is always a string.',
  },
  supabase: {
    typescript: 'SupabaseQuery',
    doc: 'What is read from Supabase in place of a loader.',
  },
  loadTimeoutMs: {
    otherwise: '`sourceTimeoutMs` of the cache',
    doc: 'Milliseconds that a load has, {range}.',
  },
  fallback: {
    typescript: 'V | null | ((id: string) => V | null | undefined)',
    otherwise: 'none',
    doc: 'Served when neither Redis nor the loader answers and there is no last known value; never stored. A function is called with the id and gives the value, not a promise of one; `undefined` is none, and the read rejects then.',
  },
  tags: {
    typescript: 'readonly string[] | ((id: string) => readonly string[])',
    otherwise: 'none',
    doc: 'Groups that an entry belongs to, for all entries or for each id: `cache.invalidate({ tags })` drops every entry that has one of them. A tag is a well-formed string of 1 to 1024 characters. If a function throws, or gives something else, the read rejects with `ARGUMENT_INVALID`. Each tag of an entry is one more key that its reads look at.',
  },
  tables: {
    typescript: 'Readonly<Record<string, true | RowIds | undefined>>',
    otherwise: 'none; that of `supabaseResource()` is automatic',
    doc: 'For webhooks: by `table` (of the schema `public`) or `schema.table`, which ids a changed row concerns, or `true` for the whole resource. Called for the row as it is and for the row as it was.',
  },
}

/** Of the query of a resource that is read from Supabase. @type {Record<string, Words>} */
export const queryOptions = {
  table: {
    doc: 'A table or view.',
  },
  schema: {
    otherwise: 'the first schema that the project exposes, mostly `public`',
    doc: 'Schema of the table.',
  },
  select: {
    doc: 'Columns and embedded tables, as PostgREST has them.',
  },
  match: {
    doc: 'The column that holds the id.',
  },
  where: {
    typescript: 'Readonly<Record<string, string | number | boolean | undefined>>',
    doc: 'Further columns, and the value that each must have.',
  },
  order: {
    otherwise: 'none',
    doc: 'As PostgREST has it: `rank.desc,id`.',
  },
  limit: {
    otherwise: 'what the project allows',
    doc: 'Rows at most, {range}.',
  },
  single: {
    doc: 'Whether the value is the first row, or null if there is none, instead of an array of all rows.',
  },
}

/** Of an invalidation. @type {Record<string, Words>} */
export const invalidateOptions = {
  wait: {
    doc: '`commit`: until Redis took it, and the other instances have been told. `all`: until no instance can serve the old value any more, which the receipt then proves.',
  },
  timeoutMs: {
    otherwise:
      'until it is proven, which takes the longest `maxStalenessMs` of the instances at most',
    doc: "Milliseconds after the commit, {range}: the longest that `wait: 'all'` waits for the instances, and refused without it. What is not confirmed by then is null in the receipt, and its list may be short: look at `provenAfterMs`.",
  },
}
