// Every option that a program may give, once: how it is checked, and what holds if it is left out. The words about each are in
// dev/option-words.mjs, which a running program does not read; dev/option-types.mjs writes the types and the README from both.

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {string} [variable] environment variable that is read if the option is left out
 * @property {'string' | 'number' | 'boolean' | 'function'} [type] of the value, by `typeof`; without one, whoever reads it checks it
 * @property {'url' | 'token' | 'secret' | 'prefix' | 'filled' | 'oneOf' | 'whole' | 'text'} [rule] what else the value must be
 * @property {string[]} [oneOf] the values that there are
 * @property {number} [least] of a whole number
 * @property {number} [most] of a whole number, or of the bytes of a text
 * @property {true} [required]
 * @property {string | number | boolean} [default]
 */

const YEAR_SECONDS = 31_536_000
const HOUR_MS = 3_600_000
const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

const whole = (name, least, most, value) => ({
  name,
  type: 'number',
  rule: 'whole',
  least,
  most,
  default: value,
})
const text = (name, most, rest) => ({ name, type: 'string', rule: 'text', most, ...rest })

/** Of `new SharedCache()` and `configure()`. @type {Option[]} */
exports.cacheOptions = [
  { name: 'upstashUrl', variable: 'UPSTASH_REDIS_REST_URL', type: 'string', rule: 'url' },
  { name: 'upstashToken', variable: 'UPSTASH_REDIS_REST_TOKEN', type: 'string', rule: 'token' },
  { name: 'supabaseUrl', variable: 'SUPABASE_URL', type: 'string', rule: 'url' },
  { name: 'supabaseKey', variable: 'SUPABASE_SERVICE_ROLE_KEY', type: 'string', rule: 'token' },
  { name: 'fallbackPrompt', variable: 'FALLBACK_SYSTEM_PROMPT', type: 'string', rule: 'filled' },
  { name: 'promptFile', variable: 'SYSTEM_PROMPT_FILE', type: 'string' },
  { name: 'legacySource', type: 'function' },
  { name: 'keyPrefix', type: 'string', rule: 'prefix', default: 'grove' },
  { name: 'signingKey', variable: 'SYSTEM_PROMPT_SIGNING_KEY', type: 'string', rule: 'secret' },
  {
    name: 'secondSigningKey',
    variable: 'SYSTEM_PROMPT_SECOND_SIGNING_KEY',
    type: 'string',
    rule: 'secret',
  },
  whole('ttlSeconds', 1, YEAR_SECONDS, 300),
  whole('maxStalenessMs', 0, HOUR_MS, 1000),
  whole('redisTimeoutMs', 1, HOUR_MS, 500),
  whole('sourceTimeoutMs', 1, HOUR_MS, 2000),
  whole('maxEntries', 1, 10_000_000, 50_000),
  whole('maxBytes', 64 * KIB, 64 * GIB, 64 * MIB),
  { name: 'push', type: 'boolean', default: true },
  {
    name: 'logLevel',
    type: 'string',
    rule: 'oneOf',
    oneOf: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
  },
  { name: 'onLog', type: 'function' },
  { name: 'webhookSecret', variable: 'SUPABASE_WEBHOOK_SECRET', type: 'string', rule: 'secret' },
]

/** Of `cache.resource()`, which needs one of `load` and `supabase`. @type {Option[]} */
exports.resourceOptions = [
  { name: 'name', required: true },
  whole('ttlSeconds', 1, YEAR_SECONDS, 300),
  { name: 'load', type: 'function' },
  { name: 'supabase' },
  whole('loadTimeoutMs', 1, HOUR_MS),
  { name: 'fallback' },
  { name: 'tags' },
  { name: 'tables' },
]

/** PostgreSQL's longest name. */
const NAME_BYTES = 63
const TEXT_BYTES = 4 * KIB

/** Of what a resource reads from Supabase. @type {Option[]} */
exports.queryOptions = [
  text('table', NAME_BYTES, { required: true }),
  text('schema', NAME_BYTES),
  text('select', TEXT_BYTES, { default: '*' }),
  text('match', NAME_BYTES, { required: true }),
  { name: 'where' },
  text('order', TEXT_BYTES),
  whole('limit', 1, 1_000_000),
  { name: 'single', type: 'boolean', default: false },
]

/** Of an invalidation. @type {Option[]} */
exports.invalidateOptions = [
  { name: 'wait', type: 'string', rule: 'oneOf', oneOf: ['commit', 'all'], default: 'commit' },
  whole('timeoutMs', 1, HOUR_MS),
]
