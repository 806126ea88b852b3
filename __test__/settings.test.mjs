// Options are checked, and put together with the environment. Nothing here needs the addon.
import { createRequire } from 'node:module'
import test from 'ava'
import fc from 'fast-check'

const require = createRequire(import.meta.url)
const { CacheError } = require('../lib/errors.cjs')
const { cacheOptions } = require('../lib/option-schema.cjs')
const { checkedOptions, environment, settingsOf, webhookSecretOf } = require('../lib/settings.cjs')

const KEY = '0123456789abcdef0123456789abcdef'
const SECOND_KEY = 'another of at least 32 characters'
const STORE = {
  UPSTASH_REDIS_REST_URL: 'https://x.upstash.io',
  UPSTASH_REDIS_REST_TOKEN: 'token',
}
const SUPABASE = { SUPABASE_URL: 'https://x.supabase.co', SUPABASE_SERVICE_ROLE_KEY: 'key' }

const NAMES =
  'upstashUrl, upstashToken, supabaseUrl, supabaseKey, fallbackPrompt, promptFile, legacySource, keyPrefix, signingKey, ' +
  'secondSigningKey, ttlSeconds, maxStalenessMs, redisTimeoutMs, sourceTimeoutMs, maxEntries, maxBytes, push, logLevel, onLog, ' +
  'webhookSecret'
const HTTPS = 'it must begin with https:// (http:// is for loopback addresses only)'
const A_URL = 'it must be a URL such as https://example.com'
const NO_PASSWORD = 'it must not hold a user name or a password'
const NO_QUERY = 'it must not hold a query or a fragment'
const NO_QUOTES = 'it must not have quotes around it'
const ASCII = 'it must not hold white space or characters beyond ASCII'
const PREFIX = 'it must be 1 to 200 of the characters A-Z a-z 0-9 : _ . -'
const SECRET = 'must have at least 32 characters, such as `openssl rand -hex 32` gives'
const leftOut = (type) => `it must be a ${type}; leave it out for the default`
const whole = (least, most) => `it must be a whole number from ${least} to ${most}`

/** Options, and what is said after "option " and before the rule. */
const REFUSED = [
  [{ ttl: 5 }, `ttl is not known: it must be one of ${NAMES}`],

  [{ ttlSeconds: NaN }, `ttlSeconds is NaN: ${whole(1, 31536000)}`],
  [{ ttlSeconds: -1 }, `ttlSeconds is -1: ${whole(1, 31536000)}`],
  [{ ttlSeconds: 0.5 }, `ttlSeconds is 0.5: ${whole(1, 31536000)}`],
  [{ ttlSeconds: 0 }, `ttlSeconds is 0: ${whole(1, 31536000)}`],
  [{ ttlSeconds: 1e300 }, `ttlSeconds is 1e+300: ${whole(1, 31536000)}`],
  [{ ttlSeconds: Infinity }, `ttlSeconds is Infinity: ${whole(1, 31536000)}`],
  [{ ttlSeconds: 31536001 }, `ttlSeconds is 31536001: ${whole(1, 31536000)}`],
  [{ ttlSeconds: '300' }, `ttlSeconds is a string: ${leftOut('number')}`],
  [{ ttlSeconds: 300n }, `ttlSeconds is a bigint: ${leftOut('number')}`],
  [{ ttlSeconds: [] }, `ttlSeconds is an array: ${leftOut('number')}`],
  [{ maxStalenessMs: -1 }, `maxStalenessMs is -1: ${whole(0, 3600000)}`],
  [{ redisTimeoutMs: 0 }, `redisTimeoutMs is 0: ${whole(1, 3600000)}`],
  [{ sourceTimeoutMs: 4294967296 }, `sourceTimeoutMs is 4294967296: ${whole(1, 3600000)}`],
  [{ maxEntries: 0 }, `maxEntries is 0: ${whole(1, 10000000)}`],
  [{ maxBytes: 65535 }, `maxBytes is 65535: ${whole(65536, 68719476736)}`],

  [{ push: 1 }, `push is a number: ${leftOut('boolean')}`],
  [{ legacySource: 'x' }, `legacySource is a string: ${leftOut('function')}`],
  [{ onLog: {} }, `onLog is an object: ${leftOut('function')}`],
  [{ promptFile: Symbol('x') }, `promptFile is a symbol: ${leftOut('string')}`],
  [{ logLevel: 'loud' }, 'logLevel is "loud": it must be one of debug, info, warn, error, silent'],
  [
    { fallbackPrompt: '' },
    'fallbackPrompt is "": it must not be empty; leave it out for the default',
  ],

  [{ keyPrefix: null }, `keyPrefix is null: ${leftOut('string')}`],
  [{ keyPrefix: '' }, `keyPrefix is "": ${PREFIX}`],
  [{ keyPrefix: 'a b' }, `keyPrefix is "a b": ${PREFIX}`],
  [{ keyPrefix: 'a*' }, `keyPrefix is "a*": ${PREFIX}`],
  [{ keyPrefix: 'a\n' }, `keyPrefix is "a\\n": ${PREFIX}`],
  [{ keyPrefix: 'grüße' }, `keyPrefix is "grüße": ${PREFIX}`],
  [{ keyPrefix: 'x'.repeat(201) }, `keyPrefix is a longer string: ${PREFIX}`],

  [{ upstashUrl: 'http://x.upstash.io' }, `upstashUrl is not usable: ${HTTPS}`],
  [{ upstashUrl: 'redis://127.0.0.1' }, `upstashUrl is not usable: ${HTTPS}`],
  [{ upstashUrl: 'http://localhost.evil.io' }, `upstashUrl is not usable: ${HTTPS}`],
  [{ upstashUrl: 'http://[::2]:1' }, `upstashUrl is not usable: ${HTTPS}`],
  [{ upstashUrl: 'x.upstash.io' }, `upstashUrl is not usable: ${A_URL}`],
  [{ upstashUrl: 'https://' }, `upstashUrl is not usable: ${A_URL}`],
  [{ upstashUrl: 'https://user:password@x.io' }, `upstashUrl is not usable: ${NO_PASSWORD}`],
  [{ upstashUrl: 'https://token@x.io' }, `upstashUrl is not usable: ${NO_PASSWORD}`],
  [{ upstashUrl: '"https://x.io"' }, `upstashUrl is not usable: ${NO_QUOTES}`],
  [{ upstashUrl: 'https://x.io/?' }, `upstashUrl is not usable: ${NO_QUERY}`],
  [{ upstashUrl: 'https://x.io/?canary' }, `upstashUrl is not usable: ${NO_QUERY}`],
  [{ supabaseUrl: 'https://x.io/#canary' }, `supabaseUrl is not usable: ${NO_QUERY}`],
  [{ supabaseUrl: 'http://user:canary@db.io' }, `supabaseUrl is not usable: ${NO_PASSWORD}`],
  [{ upstashToken: 'can\nary' }, `upstashToken is not usable: ${ASCII}`],
  [{ upstashToken: 'canäry' }, `upstashToken is not usable: ${ASCII}`],
  [{ supabaseKey: '"canary"' }, `supabaseKey is not usable: ${NO_QUOTES}`],
  [{ upstashToken: Buffer.from('canary') }, `upstashToken is an object: ${leftOut('string')}`],
  [{ signingKey: 'canary' }, `signingKey is too short: it ${SECRET}`],
  [{ signingKey: '' }, `signingKey is too short: it ${SECRET}`],
  [{ signingKey: `canary${' '.repeat(40)}` }, `signingKey is too short: it ${SECRET}`],
  [{ secondSigningKey: 'canary' }, `secondSigningKey is too short: it ${SECRET}`],
  [{ webhookSecret: 'canary' }, `webhookSecret is too short: it ${SECRET}`],
]
for (const [options, said] of REFUSED) {
  const [[name, value]] = Object.entries(options)
  const given = typeof value === 'string' ? JSON.stringify(value) : String(value)
  test(`${name} ${given} is refused`, (t) => {
    const error = t.throws(() => checkedOptions(options), { instanceOf: CacheError })
    t.is(error.message, `option ${said}`)
    t.is(error.code, 'CONFIG_INVALID')
    t.false(error.retryable)
    t.false(`${error.stack} ${JSON.stringify(error)}`.includes('canary'), 'no secret is shown')
  })
}

for (const [options, kind] of [
  ['text', 'a string'],
  [5, 'a number'],
  [() => {}, 'a function'],
  [null, 'null'],
  [[], 'an array'],
]) {
  test(`options that are ${kind} are refused`, (t) => {
    const message = `options are ${kind}: they must be an object`
    t.throws(() => checkedOptions(options), { instanceOf: CacheError, message })
  })
}

test('what is allowed comes back as it was given', (t) => {
  for (const options of [
    {},
    { maxStalenessMs: 0 },
    { upstashUrl: '', upstashToken: '', supabaseUrl: ' ', supabaseKey: '\n' },
    { upstashUrl: ' https://x.io\n', upstashToken: ' token\n' },
    { signingKey: 'ä'.repeat(16), secondSigningKey: SECOND_KEY, webhookSecret: KEY },
    { legacySource: () => null, onLog: () => {} },
  ]) {
    t.deepEqual(checkedOptions(options), options)
  }
})

test('undefined is the same as leaving an option out', (t) => {
  t.deepEqual(checkedOptions(), {})
  const nothing = Object.fromEntries(cacheOptions.map(({ name }) => [name, undefined]))
  t.deepEqual(checkedOptions(nothing), {})
})

test('an option is read once, and what its getter throws is passed on', (t) => {
  let reads = 0
  const counted = {
    get ttlSeconds() {
      reads += 1
      return 300 * reads
    },
  }
  t.deepEqual(checkedOptions(counted), { ttlSeconds: 300 })
  const broken = {
    get ttlSeconds() {
      throw new RangeError('mine')
    },
  }
  t.throws(() => checkedOptions(broken), { instanceOf: RangeError, message: 'mine' })
})

test('every default is a value that the option may have', (t) => {
  const defaults = cacheOptions.flatMap(({ name, default: value }) =>
    value === undefined ? [] : [[name, value]],
  )
  t.deepEqual(defaults, [
    ['keyPrefix', 'grove'],
    ['ttlSeconds', 300],
    ['maxStalenessMs', 1000],
    ['redisTimeoutMs', 500],
    ['sourceTimeoutMs', 2000],
    ['maxEntries', 50000],
    ['maxBytes', 67108864],
    ['push', true],
    ['logLevel', 'info'],
  ])
  t.deepEqual(checkedOptions(Object.fromEntries(defaults)), Object.fromEntries(defaults))
})

// Options and environment together

test('without options and variables, both tiers are off and the rest has its default', (t) => {
  t.deepEqual(settingsOf({}, {}), {
    store: { reason: 'UPSTASH_REDIS_REST_URL (upstashUrl) is not set' },
    supabase: { reason: 'SUPABASE_URL (supabaseUrl) is not set' },
    promptFile: null,
    fallbackPrompt: null,
    keyPrefix: 'grove',
    signingKeys: null,
    ttlSeconds: 300,
    maxStalenessMs: 1000,
    redisTimeoutMs: 500,
    sourceTimeoutMs: 2000,
    maxEntries: 50000,
    maxBytes: 67108864,
    push: true,
    logLevel: 'info',
    extraRoots: null,
  })
})

test('every option reaches the settings, except the functions and the secret of the webhooks', (t) => {
  const limits = {
    keyPrefix: 'mine',
    ttlSeconds: 1,
    maxStalenessMs: 0,
    redisTimeoutMs: 3,
    sourceTimeoutMs: 4,
    maxEntries: 5,
    maxBytes: 65536,
    push: false,
    logLevel: 'silent',
  }
  const options = checkedOptions({
    upstashUrl: 'https://x.upstash.io/path',
    upstashToken: 'token',
    supabaseUrl: 'http://localhost:54321',
    supabaseKey: 'key',
    fallbackPrompt: ' a prompt\n',
    promptFile: 'prompt.json',
    signingKey: KEY,
    secondSigningKey: SECOND_KEY,
    legacySource: () => null,
    onLog: () => {},
    webhookSecret: KEY,
    ...limits,
  })
  t.deepEqual(settingsOf(options, { NODE_EXTRA_CA_CERTS: '/roots.pem' }), {
    store: { url: 'https://x.upstash.io/path', token: 'token' },
    supabase: { url: 'http://localhost:54321/', token: 'key' },
    promptFile: 'prompt.json',
    fallbackPrompt: ' a prompt\n',
    signingKeys: [KEY, SECOND_KEY],
    extraRoots: '/roots.pem',
    ...limits,
  })
})

/** What is wanted of the settings for these options and variables. */
const RESOLVED = [
  [
    'a variable is read without the white space around it',
    { env: { ...STORE, UPSTASH_REDIS_REST_TOKEN: ' env-token\n' } },
    { store: { url: 'https://x.upstash.io/', token: 'env-token' } },
  ],
  [
    'an option comes before its variable, key by key',
    { options: { upstashUrl: ' https://option.io ' }, env: STORE },
    { store: { url: 'https://option.io/', token: 'token' } },
  ],
  [
    'a URL that is not written in its usual form is brought to it',
    { env: { ...STORE, UPSTASH_REDIS_REST_URL: 'HTTPS://X.Upstash.io:443/a/../b' } },
    { store: { url: 'https://x.upstash.io/b', token: 'token' } },
  ],
  [
    'an empty option switches the tier of a variable off',
    { options: { upstashUrl: '' }, env: STORE },
    { store: { reason: 'UPSTASH_REDIS_REST_URL (upstashUrl) is empty' } },
  ],
  [
    'an empty variable switches its tier off',
    { env: { ...SUPABASE, SUPABASE_URL: ' ' } },
    { supabase: { reason: 'SUPABASE_URL (supabaseUrl) is empty' } },
  ],
  [
    'a URL without a token switches its tier off',
    { env: { UPSTASH_REDIS_REST_URL: 'https://x.io', SUPABASE_URL: 'https://x.io' } },
    {
      store: {
        reason:
          'UPSTASH_REDIS_REST_URL (upstashUrl) is set, but UPSTASH_REDIS_REST_TOKEN (upstashToken) is not',
      },
      supabase: {
        reason:
          'SUPABASE_URL (supabaseUrl) is set, but SUPABASE_SERVICE_ROLE_KEY (supabaseKey) is not',
      },
    },
  ],
  [
    'an empty token option counts as missing',
    { options: { supabaseKey: '' }, env: SUPABASE },
    {
      supabase: {
        reason:
          'SUPABASE_URL (supabaseUrl) is set, but SUPABASE_SERVICE_ROLE_KEY (supabaseKey) is not',
      },
    },
  ],
  [
    'a URL that is not usable switches its tier off',
    { env: { ...STORE, UPSTASH_REDIS_REST_URL: 'http://user:canary@x.io' } },
    {
      store: {
        reason: 'UPSTASH_REDIS_REST_URL (upstashUrl) must not hold a user name or a password',
      },
    },
  ],
  [
    'a token that is not usable switches its tier off',
    { env: { ...STORE, UPSTASH_REDIS_REST_TOKEN: 'two\nlines' } },
    {
      store: {
        reason:
          'UPSTASH_REDIS_REST_TOKEN (upstashToken) must not hold white space or characters beyond ASCII',
      },
    },
  ],
  [
    'a token in quotes switches its tier off',
    { env: { ...SUPABASE, SUPABASE_SERVICE_ROLE_KEY: "'key'" } },
    {
      supabase: {
        reason: 'SUPABASE_SERVICE_ROLE_KEY (supabaseKey) must not have quotes around it',
      },
    },
  ],
  [
    'a path and a file of roots that are empty are none',
    { env: { SYSTEM_PROMPT_FILE: ' ', NODE_EXTRA_CA_CERTS: '' } },
    { promptFile: null, extraRoots: null },
  ],
  [
    'an empty path as an option hides its variable',
    { options: { promptFile: '' }, env: { SYSTEM_PROMPT_FILE: 'prompt.json' } },
    { promptFile: null },
  ],
  [
    'a fallback prompt keeps the white space around it',
    { env: { FALLBACK_SYSTEM_PROMPT: ' a prompt\n' } },
    { fallbackPrompt: ' a prompt\n' },
  ],
  [
    'a fallback prompt of white space alone is none',
    { env: { FALLBACK_SYSTEM_PROMPT: ' \n' } },
    { fallbackPrompt: null },
  ],
  [
    'half of a surrogate pair does not reach the settings',
    {
      options: { fallbackPrompt: 'a\ud800', signingKey: `${KEY}\udc00` },
      env: { SYSTEM_PROMPT_FILE: '\udc00b' },
    },
    { fallbackPrompt: 'a\ufffd', signingKeys: [`${KEY}\ufffd`], promptFile: '\ufffdb' },
  ],
  [
    'a variable that is not a string counts as not set',
    { env: { ...STORE, UPSTASH_REDIS_REST_URL: 5 } },
    { store: { reason: 'UPSTASH_REDIS_REST_URL (upstashUrl) is not set' } },
  ],
]
for (const [situation, { options, env }, wanted] of RESOLVED) {
  test(situation, (t) => {
    t.like(settingsOf(checkedOptions(options), env), wanted)
  })
}

/** Signing keys in the environment, and why the store is off, if it is. */
const SIGNED = [
  [undefined, undefined, undefined, null],
  [KEY, undefined, undefined, [KEY]],
  [KEY, '', undefined, [KEY]],
  [` ${KEY}\n`, ` ${SECOND_KEY}\n`, undefined, [KEY, SECOND_KEY]],
  ['canary', undefined, `SYSTEM_PROMPT_SIGNING_KEY (signingKey) ${SECRET}`],
  [KEY, 'canary', `SYSTEM_PROMPT_SECOND_SIGNING_KEY (secondSigningKey) ${SECRET}`],
  ['', KEY, `SYSTEM_PROMPT_SIGNING_KEY (signingKey) ${SECRET}`],
  ['', '', `SYSTEM_PROMPT_SIGNING_KEY (signingKey) ${SECRET}`],
  [
    undefined,
    KEY,
    'SYSTEM_PROMPT_SECOND_SIGNING_KEY (secondSigningKey) is set, but SYSTEM_PROMPT_SIGNING_KEY (signingKey) is not',
    null,
  ],
]
for (const [first, second, reason, keys] of SIGNED) {
  const what = reason ? 'switch the shared cache off' : 'sign'
  test(`signing keys ${JSON.stringify([first, second])} ${what}`, (t) => {
    const env = { SYSTEM_PROMPT_SIGNING_KEY: first, SYSTEM_PROMPT_SECOND_SIGNING_KEY: second }
    const { store, signingKeys, supabase } = settingsOf({}, { ...STORE, ...SUPABASE, ...env })
    t.deepEqual(store, reason ? { reason } : { url: 'https://x.upstash.io/', token: 'token' })
    t.true('url' in supabase, 'the source is read all the same')
    if (keys !== undefined) t.deepEqual(signingKeys, keys)
  })
}

test('an environment that cannot be read is a CONFIG_INVALID', (t) => {
  const throws = new Proxy({}, { get: () => assert('not here') })
  const assert = (message) => {
    throw new Error(message)
  }
  for (const [env, why] of [
    [throws, 'not here'],
    [undefined, "Cannot read properties of undefined (reading 'SYSTEM_PROMPT_SIGNING_KEY')"],
    [null, "Cannot read properties of null (reading 'SYSTEM_PROMPT_SIGNING_KEY')"],
  ]) {
    const error = t.throws(() => settingsOf({}, env), { instanceOf: CacheError })
    t.is(error.code, 'CONFIG_INVALID')
    t.is(error.message, `process.env cannot be used here: ${why}`)
    t.is(error.cause.code, error.cause.cause.name, 'what was thrown is behind it')
    t.throws(() => webhookSecretOf({}, env), { instanceOf: CacheError, code: 'CONFIG_INVALID' })
  }
})

test.serial('a process without an environment is a CONFIG_INVALID', (t) => {
  t.is(environment(), process.env)
  const descriptor = Object.getOwnPropertyDescriptor(process, 'env')
  Object.defineProperty(process, 'env', {
    configurable: true,
    get() {
      throw new Error('not here')
    },
  })
  try {
    const message = 'process.env cannot be used here: not here'
    t.throws(environment, { instanceOf: CacheError, code: 'CONFIG_INVALID', message })
  } finally {
    Object.defineProperty(process, 'env', descriptor)
  }
})

/** The option, the variable, the secret and the warning. */
const WEBHOOK_SECRETS = [
  [undefined, undefined, null, null],
  [undefined, '', null, null],
  [undefined, ' ', null, null],
  [undefined, ` ${KEY}\n`, KEY, null],
  [` ${SECOND_KEY} `, KEY, SECOND_KEY, null],
  [SECOND_KEY, 'canary', SECOND_KEY, null],
  [
    undefined,
    'canary',
    null,
    `No webhook is accepted: SUPABASE_WEBHOOK_SECRET (webhookSecret) ${SECRET}`,
  ],
]
test('the secret of the webhooks is the option, else the variable, else none', (t) => {
  for (const [webhookSecret, variable, secret, warning] of WEBHOOK_SECRETS) {
    const options = checkedOptions({ webhookSecret })
    t.deepEqual(webhookSecretOf(options, { SUPABASE_WEBHOOK_SECRET: variable }), {
      secret,
      warning,
    })
  }
})

// Whatever is given

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }))
const variables = cacheOptions.flatMap(({ variable }) => variable ?? [])
const accepts = (options) => {
  try {
    checkedOptions(options)
    return true
  } catch (error) {
    if (error instanceof CacheError) return false
    throw error
  }
}

for (const { name, least, most } of cacheOptions.filter(({ rule }) => rule === 'whole')) {
  test(`${name} may be each whole number from ${least} to ${most}, and nothing else`, (t) => {
    const near = fc.integer({ min: -2, max: 2 })
    const numbers = fc.oneof(
      near.map((step) => least + step),
      near.map((step) => most + step),
      fc.integer({ min: least, max: most }),
      fc.double(),
      fc.maxSafeInteger(),
    )
    fc.assert(
      fc.property(numbers, (number) => {
        const allowed = number % 1 === 0 && number >= least && number <= most
        return accepts({ [name]: number }) === allowed
      }),
    )
    t.pass()
  })
}

test('http is for loopback addresses alone', (t) => {
  const loopback = fc.tuple(fc.constant(127), fc.nat(255), fc.nat(255), fc.nat(255))
  const any = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(fc.oneof(loopback, any), (address) => {
      const upstashUrl = `http://${address.join('.')}:8079`
      return accepts({ upstashUrl }) === (address[0] === 127)
    }),
  )
  fc.assert(fc.property(fc.domain(), (host) => !accepts({ supabaseUrl: `http://${host}` })))
  fc.assert(fc.property(fc.domain(), (host) => accepts({ supabaseUrl: `https://${host}` })))
  t.pass()
})

test('no part of a URL, a token or a secret is in a message or a reason', (t) => {
  const around = fc.string({ unit: 'binary', maxLength: 10 })
  const secrets = fc.tuple(
    fc.constantFrom('', 'http://', 'https://', 'https://x.io/?', "'", ' '),
    around,
    around,
  )
  fc.assert(
    fc.property(secrets, ([start, before, after]) => {
      const text = `${start}${before}canary${after}`
      for (const { name, rule } of cacheOptions) {
        if (!['url', 'token', 'secret'].includes(rule)) continue
        try {
          checkedOptions({ [name]: text })
        } catch (error) {
          t.false(`${error.stack} ${JSON.stringify(error)}`.includes('canary'))
        }
        const env = { ...STORE, ...SUPABASE, [SCHEMA[name].variable]: text }
        const { store, supabase } = settingsOf({}, env)
        const said = [store.reason, supabase.reason, webhookSecretOf({}, env).warning]
        t.false(said.join().includes('canary'))
      }
    }),
  )
})

const SCHEMA = Object.fromEntries(cacheOptions.map((option) => [option.name, option]))

test('no environment keeps a chat from starting, and all settings are JSON', (t) => {
  const env = fc.record(
    Object.fromEntries([...variables, 'NODE_EXTRA_CA_CERTS'].map((name) => [name, anyText])),
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(env, (given) => {
      const settings = settingsOf({}, given)
      const json = JSON.stringify(settings)
      t.deepEqual(JSON.parse(json), settings)
      t.notRegex(json, /\\u[dD][89a-fA-F]/, 'JSON of Rust has no half of a surrogate pair')
    }),
  )
})

/** Texts that an option may have, of those that have a variable. */
const USABLE = {
  url: fc.constantFrom('https://a.io', ' http://localhost:1/x\n', 'http://[::1]:1', 'https://ü.io'),
  token: fc.stringMatching(/^ ?[\x21\x23-\x26\x28-\x7e]{1,20}\n?$/),
  secret: fc
    .string({ unit: 'grapheme-ascii', minLength: 34 })
    .filter((it) => it.trim().length >= 32),
  filled: fc.string({ unit: 'binary', minLength: 1 }).filter((it) => it.trim() !== ''),
  undefined: fc.string(),
}
const usable = Object.fromEntries(
  cacheOptions.flatMap(({ name, variable, rule }) => (variable ? [[name, USABLE[rule]]] : [])),
)

test('what is given as an option is the same as what is given as its variable', (t) => {
  const given = fc.record(usable, { requiredKeys: [] })
  fc.assert(
    fc.property(given, given, (options, others) => {
      const [mine, theirs] = [options, others].map((texts) =>
        Object.fromEntries(
          Object.entries(texts).map(([name, text]) => [SCHEMA[name].variable, text]),
        ),
      )
      const checked = checkedOptions(options)
      t.deepEqual(checkedOptions(checked), options, 'checked options may be checked again')
      t.deepEqual(settingsOf(checked, theirs), settingsOf({}, { ...theirs, ...mine }))
      t.deepEqual(webhookSecretOf(checked, theirs), webhookSecretOf({}, { ...theirs, ...mine }))
    }),
  )
})
