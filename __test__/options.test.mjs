// Options are checked at once, the environment at the first use.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { configure } from 'grove-shared-cache'
import { promptCache } from '../dev/prompt-cache.mjs'

const REFUSED = [
  [{ ttlSeconds: -5 }, 'option ttlSeconds is -5: it must be a whole number from 1 to 31536000'],
  [{ ttlSeconds: 0 }, 'option ttlSeconds is 0: it must be a whole number from 1 to 31536000'],
  [{ ttlSeconds: 1.5 }, 'option ttlSeconds is 1.5: it must be a whole number from 1 to 31536000'],
  [{ ttlSeconds: NaN }, 'option ttlSeconds is NaN: it must be a whole number from 1 to 31536000'],
  [
    { ttlSeconds: Infinity },
    'option ttlSeconds is Infinity: it must be a whole number from 1 to 31536000',
  ],
  [
    { ttlSeconds: '300' },
    'option ttlSeconds is a string: it must be a number; leave it out for the default',
  ],
  [
    { ttlSeconds: 300n },
    'option ttlSeconds is a bigint: it must be a number; leave it out for the default',
  ],
  [
    { maxStalenessMs: -1 },
    'option maxStalenessMs is -1: it must be a whole number from 0 to 3600000',
  ],
  [
    { redisTimeoutMs: 0 },
    'option redisTimeoutMs is 0: it must be a whole number from 1 to 3600000',
  ],
  [
    { sourceTimeoutMs: 4294967296 },
    'option sourceTimeoutMs is 4294967296: it must be a whole number from 1 to 3600000',
  ],
  [{ push: 1 }, 'option push is a number: it must be a boolean; leave it out for the default'],
  [
    { logLevel: 'loud' },
    'option logLevel is "loud": it must be one of debug, info, warn, error, silent',
  ],
  [
    { keyPrefix: 'a b' },
    'option keyPrefix is "a b": it must be 1 to 200 of the characters A-Z a-z 0-9 : _ . -',
  ],
  [
    { keyPrefix: null },
    'option keyPrefix is null: it must be a string; leave it out for the default',
  ],
  [
    { fallbackPrompt: '' },
    'option fallbackPrompt is "": it must not be empty; leave it out for the default',
  ],
  [
    { upstashUrl: 'http://example.com' },
    'option upstashUrl is not usable: it must begin with https:// (http:// is for loopback addresses only)',
  ],
  [
    { supabaseUrl: 'canary' },
    'option supabaseUrl is not usable: it must be a URL such as https://example.com',
  ],
  [
    { legacySource: 'x' },
    'option legacySource is a string: it must be a function; leave it out for the default',
  ],
  [{ onLog: {} }, 'option onLog is an object: it must be a function; leave it out for the default'],
  ['text', 'options are a string: they must be an object'],
  [null, 'options are null: they must be an object'],
  [[], 'options are an array: they must be an object'],
]

for (const [options, message] of REFUSED) {
  test(`refused: ${message}`, (t) => {
    const expected = { instanceOf: Error, code: 'CONFIG_INVALID', message }
    t.false(t.throws(() => promptCache(options), expected).retryable)
    t.throws(() => configure(options), expected)
  })
}

test('an option that does not exist is refused with those that do', (t) => {
  const types = readFileSync(new URL('../index.d.ts', import.meta.url), 'utf8')
  const [, fields] = types.match(/export interface CacheOptions \{\n(.*?)\n\}/s)
  const names = [...fields.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name)
  t.true(names.includes('ttlSeconds'))
  t.throws(() => configure({ ttl: 5 }), {
    code: 'CONFIG_INVALID',
    message: `option ttl is not known: it must be one of ${names.join(', ')}`,
  })
})

test('what was refused leaves no secret in the error', (t) => {
  for (const options of [
    { upstashUrl: 'http://user:canary@example.com' },
    { upstashToken: Buffer.from('canary') },
    { supabaseKey: 'canary', supabaseUrl: 'ftp://canary' },
  ]) {
    const error = t.throws(() => configure(options), { code: 'CONFIG_INVALID' })
    t.false(`${error.message} ${JSON.stringify(error)}`.includes('canary'))
  }
})

test('undefined is the same as leaving it out', (t) => {
  t.notThrows(() => promptCache())
  t.notThrows(() => promptCache(undefined))
  t.notThrows(() => promptCache({ ttlSeconds: undefined, onLog: undefined }))
})

test('an option whose getter throws passes its error on', (t) => {
  const options = {
    get ttlSeconds() {
      throw new RangeError('mine')
    },
  }
  t.throws(() => promptCache(options), { instanceOf: RangeError, message: 'mine' })
})
