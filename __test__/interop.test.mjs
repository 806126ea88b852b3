// What this package writes, the official client and a server's own cache module read; and the reverse.
import { randomUUID } from 'node:crypto'
import { Redis } from '@upstash/redis'
import test from 'ava'
import fc from 'fast-check'
import * as grove from 'grove-shared-cache'
import { libCache } from '../dev/lib-cache.mjs'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { fleet, withStack } from './support/stack.mjs'
import { until } from '../dev/until.mjs'

const stack = withStack(test)
let official
let own

test.serial.before(() => {
  const endpoint = { url: stack.upstash.url, token: stack.upstash.token }
  official = new Redis(endpoint)
  own = libCache(endpoint)
  grove.configure({ upstashUrl: endpoint.url, upstashToken: endpoint.token, redisTimeoutMs: 5000 })
})

const PROMPTS = {
  'a number': '123',
  'quoted text': '"quoted"',
  'an object': '{}',
  null: 'null',
  'the word OK': 'OK',
  'base64 by accident': 'Aborted',
  emoji: '🌳👩‍💻',
  CJK: '木の下で 集まる',
  'line separators': 'a\u2028b\u2029c',
  'control characters': '\u0000\u001f\\"\r\n\t',
  'a template': '${x} {{y}} %s',
}

for (const [kind, identity] of Object.entries(PROMPTS)) {
  test.serial(`a prompt that is ${kind} comes back as it was written`, async (t) => {
    // Postgres has no NUL in JSON text; the store has.
    const written = identity.replaceAll('\u0000', '')
    await activatePrompt(stack.sql, { identity: written })
    const { instance, prefix } = fleet(stack)
    const expected = `## Identity\n${written}`
    t.is(await instance().fetchActiveSystemPrompt(), expected)
    await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
    t.like(await instance().fetchActiveSystemPromptConfig(), { content: expected, tier: 'redis' })
    t.is(await official.get(`${prefix}:system-prompt:active`), expected)
    t.is(await own.get(`${prefix}:system-prompt:active`), expected)
    const config = await official.get(`${prefix}:system-prompt:config`)
    t.is(
      config.sequence,
      await official.get(`${prefix}:sequence`),
      'and the config is an object to it',
    )
  })
}

test.serial(
  'the official client’s DEL of the prompt is a miss, and its SET is never served',
  async (t) => {
    await activatePrompt(stack.sql, { identity: 'real' })
    const { instance, prefix } = fleet(stack)
    const cold = async () => {
      const config = await instance().fetchActiveSystemPromptConfig()
      return { content: config.content, tier: config.tier }
    }
    const hit = async () => (await cold()).tier === 'redis'
    await until(hit, 'a hit')
    await own.del(`${prefix}:system-prompt:active`)
    t.deepEqual(await cold(), { content: '## Identity\nreal', tier: 'source' })
    await until(hit, 'a hit')
    await own.set(`${prefix}:system-prompt:active`, 'an older client’s prompt')
    t.deepEqual(await cold(), { content: '## Identity\nreal', tier: 'source' })
  },
)

/** What the official client can give back for a value that it wrote itself. */
const json = () => fc.jsonValue({ noUnicodeString: false, maxDepth: 3 })

test.serial('a value that either side writes, the other reads alike', async (t) => {
  const key = `test:${randomUUID()}`
  const alike = fc.asyncProperty(fc.oneof(json(), fc.string({ unit: 'binary' })), async (value) => {
    await grove.cache.set(key, value)
    t.deepEqual(await own.get(key), await grove.cache.get(key))
    const wire = await stack.redis.get(key)
    await own.set(key, value)
    t.is(await stack.redis.get(key), wire, 'the same bytes')
    t.deepEqual(await grove.cache.get(key), await own.get(key))
  })
  await fc.assert(alike, { numRuns: 150 })
})

test.serial(
  'numbers that JavaScript cannot hold stay text, as with the official client',
  async (t) => {
    const key = `test:${randomUUID()}`
    for (const wire of [
      '9007199254740993',
      '1e400',
      '007',
      '1.0',
      '-0',
      '0.1',
      'true',
      ' 1',
      '',
      '"',
      '{"a":1e400}',
    ]) {
      await stack.redis.set(key, wire)
      t.deepEqual(await grove.cache.get(key), await official.get(key), wire)
    }
  },
)

test.serial('a value expires after 300 seconds, or after its own TTL', async (t) => {
  const key = `test:${randomUUID()}`
  await grove.cache.set(key, { a: 1 })
  t.true((await stack.redis.ttl(key)) > 295)
  await grove.cache.set(key, { a: 1 }, 20)
  const ttl = await stack.redis.ttl(key)
  t.true(ttl > 15 && ttl <= 20, `${ttl}`)
  t.deepEqual(await grove.cache.get(key), { a: 1 })
  t.true(await grove.cache.del(key))
  t.false(await grove.cache.del(key))
  t.is(await grove.cache.get(key), null)
})

test.serial('arguments that cannot be are refused, and nothing is sent', async (t) => {
  const before = stack.upstash.commands
  const circular = {}
  circular.self = circular
  for (const act of [
    () => grove.cache.get(),
    () => grove.cache.get(''),
    () => grove.cache.get(5),
    () => grove.cache.get('k'.repeat(40_000)),
    () => grove.cache.set('k'),
    () => grove.cache.set('k', () => {}),
    () => grove.cache.set('k', Symbol('s')),
    () => grove.cache.set('k', 'v', 0),
    () => grove.cache.set('k', 'v', -1),
    () => grove.cache.set('k', 'v', 1.5),
    () => grove.cache.set('k', 'v', NaN),
    () => grove.cache.set('k', 'v', 1e12),
    () => grove.cache.set('k', 'v', '10'),
    () => grove.cache.del(null),
  ]) {
    await t.throwsAsync(
      act,
      { instanceOf: grove.CacheError, code: 'ARGUMENT_INVALID' },
      String(act),
    )
  }
  await t.throwsAsync(
    () => grove.cache.set('k', circular),
    { instanceOf: TypeError },
    'JSON’s own error',
  )
  await t.throwsAsync(
    () => grove.cache.set('k', 10n),
    { instanceOf: TypeError },
    'JSON’s own error',
  )
  t.is(stack.upstash.commands, before)
})

test.serial(
  'without a shared cache there is nothing to get, and without an answer there is an error',
  async (t) => {
    const { url, token } = stack.upstash
    grove.configure({ upstashUrl: '' })
    await grove.cache.set('k', 'v')
    t.is(await grove.cache.get('k'), null)
    t.false(await grove.cache.del('k'))

    grove.configure({ upstashUrl: 'http://127.0.0.1:9', upstashToken: token })
    for (const act of [
      () => grove.cache.get('k'),
      () => grove.cache.set('k', 'v'),
      () => grove.cache.del('k'),
    ]) {
      await t.throwsAsync(act, { code: 'STORE_UNAVAILABLE' })
    }
    grove.configure({ upstashUrl: url, upstashToken: token })
  },
)
