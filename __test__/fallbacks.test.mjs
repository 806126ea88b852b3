// What is served, and how soon, when store or source are not what they should be. Each way in which they can break is met in
// fault-matrix.test.mjs.
import test from 'ava'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { ASKING, fleet, withStack } from './support/stack.mjs'
import { until } from '../dev/until.mjs'

const stack = withStack(test)

const PROMPT = '## Identity\ntruth'
/** Both timeouts of the instances here, and what a loaded machine may add. */
const TIMEOUTS = { redisTimeoutMs: 400, sourceTimeoutMs: 600 }
const LIMIT_MS = 400 + 600 + 1000

test.serial.before(async () => {
  await activatePrompt(stack.sql, { title: 'Truth', payload: { identity: 'truth' } })
})

test.afterEach.always(() => {
  stack.upstash.faults.clear()
  stack.supabase.faults.clear()
})

async function timed(read) {
  const begun = performance.now()
  const answer = await read()
  return { answer, ms: performance.now() - begun }
}

test('nothing listens at the store: the source is served, an invalidation is refused with its cause', async (t) => {
  const { instance } = fleet(stack, { upstashUrl: 'http://127.0.0.1:9' })
  const cache = instance()
  t.is(await cache.fetchActiveSystemPrompt(), PROMPT)
  const error = await t.throwsAsync(cache.invalidateSystemPrompt(), {
    instanceOf: Error,
    code: 'STORE_UNAVAILABLE',
  })
  t.true(error.retryable)
  t.true(error.cause instanceof Error)
  t.is(error.cause.code, 'unreachable')
  t.like((await cache.debugSystemPrompt()).redis, {
    configured: true,
    reachable: false,
    latencyMs: null,
    error: 'unreachable',
  })
})

test('an outage is told once, and so is its end', async (t) => {
  const { instance, lines } = fleet(stack, { supabaseUrl: 'http://127.0.0.1:9', logLevel: 'info' })
  const cache = instance({ fallbackPrompt: 'stand-in' })
  for (let read = 0; read < 5; read++) t.is(await cache.fetchActiveSystemPrompt(), 'stand-in')
  await until(() => lines.some(({ message }) => message.includes('Using fallback')), 'the line')
  t.deepEqual(lines, [
    { level: 'warn', message: '[SystemPrompt] Source unavailable (no connection)' },
    { level: 'info', message: '[SystemPrompt] Using fallback prompt' },
  ])
})

test('an empty store URL switches the store off', async (t) => {
  const { instance, prefix, lines } = fleet(stack, { upstashUrl: '' })
  const cache = instance()
  t.like(await cache.fetchActiveSystemPromptConfig(), { content: PROMPT, tier: 'source' })
  t.like(await cache.invalidateSystemPrompt(), { shared: false, generation: null })
  t.like((await cache.debugSystemPrompt()).redis, {
    configured: false,
    reachable: false,
    error: null,
  })
  t.is((await stack.redis.keys(`${prefix}:*`)).length, 0)
  await until(() => lines.some(({ message }) => message.includes('this instance only')), 'the line')
  t.is(lines.filter(({ level }) => level === 'warn').length, 1, 'one warning')
})

const LEGACY = {
  'gives a string': [async () => 'old prompt', { content: 'old prompt', source: 'legacy' }],
  'gives a config': [
    async () => ({ content: 'old prompt', source: 'gcs-legacy', responseMode: 'librarian' }),
    { content: 'old prompt', source: 'gcs-legacy', responseMode: 'librarian' },
  ],
  'is not async': [() => 'old prompt', { content: 'old prompt' }],
  'gives a thenable': [
    () => ({ then: (resolve) => resolve('old prompt') }),
    { content: 'old prompt' },
  ],
  throws: [
    () => {
      throw new Error('canary')
    },
    { content: 'stand-in' },
  ],
  'throws no error': [
    () => {
      throw null
    },
    { content: 'stand-in' },
  ],
  rejects: [async () => Promise.reject(new Error('canary')), { content: 'stand-in' }],
  'never settles': [() => new Promise(() => {}), { content: 'stand-in' }],
  'gives nothing': [async () => {}, { content: 'stand-in' }],
  'gives a number': [async () => 5, { content: 'stand-in' }],
  'gives a function': [async () => () => {}, { content: 'stand-in' }],
  'gives what has no JSON': [async () => 10n, { content: 'stand-in' }],
  'gives an empty string': [async () => '', { content: 'stand-in' }],
  'gives half a surrogate pair': [async () => 'old \ud800', { content: 'old \ufffd' }],
  'gives more than 4 MiB': [async () => 'x'.repeat(5 << 20), { content: 'stand-in' }],
}

for (const [deed, [legacySource, expected]] of Object.entries(LEGACY)) {
  test(`a legacy source that ${deed}`, async (t) => {
    const { instance, prefix, lines } = fleet(stack, { supabaseUrl: 'http://127.0.0.1:9' })
    const cache = instance({ ...TIMEOUTS, legacySource, fallbackPrompt: 'stand-in' })
    const { answer, ms } = await timed(() => cache.fetchActiveSystemPromptConfig())
    t.like(answer, { ...expected, tier: 'fallback' })
    t.true(ms < LIMIT_MS, `took ${ms} ms`)
    t.is(await stack.redis.exists(`${prefix}:system-prompt:active`), 0)
    t.false(JSON.stringify(lines).includes('canary'))
  })
}

test('of what a legacy source failed with, the log has the code and not the text', async (t) => {
  for (const [failure, word] of [
    [Object.assign(new Error('canary'), { code: 'ENOENT' }), 'ENOENT'],
    [new TypeError('canary'), 'TypeError'],
    [Object.assign(new Error('canary'), { code: 'a canary in the code' }), 'an error'],
    ['canary', 'string'],
  ]) {
    const { instance, lines } = fleet(stack, { supabaseUrl: 'http://127.0.0.1:9' })
    const cache = instance({ legacySource: () => Promise.reject(failure) })
    await cache.fetchActiveSystemPrompt()
    const line = await until(
      () => lines.find(({ message }) => message.includes('legacySource')),
      'the line',
    )
    t.is(line.message, `[SystemPrompt] legacySource gave no prompt: it failed with ${word}`)
  }
})

test('a legacy source may call the cache it belongs to', async (t) => {
  const { instance } = fleet(stack, { supabaseUrl: 'http://127.0.0.1:9' })
  const cache = instance({
    ...TIMEOUTS,
    fallbackPrompt: 'stand-in',
    legacySource: () => cache.fetchActiveSystemPrompt(),
  })
  const { answer, ms } = await timed(() => cache.fetchActiveSystemPrompt())
  t.is(answer, 'stand-in')
  t.true(ms < LIMIT_MS, `took ${ms} ms`)
})

test.serial(
  'an invalidation that failed goes through by itself, and until then the store is not trusted',
  async (t) => {
    const { instance, prefix } = fleet(stack)
    const [admin, other] = [instance(TIMEOUTS), instance(ASKING)]
    await admin.fetchActiveSystemPrompt()
    await other.fetchActiveSystemPrompt()
    await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')

    stack.upstash.faults.set({
      kind: 'status',
      code: 503,
      match: ({ headers }) => headers['content-length'] > 300,
    })
    const error = await t.throwsAsync(admin.invalidateSystemPrompt(), { code: 'STORE_UNAVAILABLE' })
    t.true(error.retryable)
    t.is(
      (await other.fetchActiveSystemPromptConfig()).tier,
      'redis',
      'reads of the store go through',
    )
    t.is(
      (await admin.fetchActiveSystemPromptConfig()).tier,
      'source',
      'and this instance makes none',
    )
    t.true((await admin.debugSystemPrompt()).redis.invalidationPending)
    t.is(await stack.redis.exists(`${prefix}:system-prompt:active`), 1)

    stack.upstash.faults.clear()
    await until(
      async () => !(await admin.debugSystemPrompt()).redis.invalidationPending,
      'the retry',
    )
    t.is(admin.stats().invalidations, 1)
  },
)

test('a token that is not accepted is no matter of trying again', async (t) => {
  const { instance } = fleet(stack, { upstashToken: 'wrong' })
  const error = await t.throwsAsync(instance().invalidateSystemPrompt(), {
    code: 'STORE_UNAVAILABLE',
  })
  t.false(error.retryable)
  t.is(error.cause.code, 'unauthorized')
  t.regex(error.message, /check UPSTASH_REDIS_REST_TOKEN/)
})

test.serial('what people wrote cannot forge a line of the log', async (t) => {
  const { instance, lines } = fleet(stack)
  await stack.sql(`update system_prompts set title = $1 where status = 'active'`, [
    'a\n[Cache] forged',
  ])
  await instance().fetchActiveSystemPrompt()
  const loaded = await until(
    () => lines.find(({ message }) => message.includes('Loaded')),
    'the line',
  )
  t.is(loaded.message, '[SystemPrompt] Loaded from Supabase: "a [Cache] forged"')
})

test('an onLog that throws or rejects hurts nobody', async (t) => {
  for (const onLog of [
    () => {
      throw new Error('canary')
    },
    async () => {
      throw new Error('canary')
    },
  ]) {
    const { instance } = fleet(stack, { onLog })
    t.is(await instance().fetchActiveSystemPrompt(), PROMPT)
  }
})
