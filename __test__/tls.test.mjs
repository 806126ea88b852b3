// The cache over TLS, as it is with Upstash and Supabase: HTTP/2 where the server speaks it, certificates, lines that die.
import { promptCache } from '../dev/prompt-cache.mjs'
import test from 'ava'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { ASKING, fleet, withStack } from './support/stack.mjs'
import { AUTHORITY, tlsFront } from './support/tls-front.mjs'
import { until } from '../dev/until.mjs'

const stack = withStack(test)
const PROMPT = '## Identity\nover TLS'

test.serial.before(() => {
  process.env.NODE_EXTRA_CA_CERTS = AUTHORITY
  return activatePrompt(stack.sql, { title: 'TLS', payload: { identity: 'over TLS' } })
})

/** A fleet whose store and source are behind TLS. */
async function fleetOverTls(t, options = {}, front = {}) {
  const [store, source] = await Promise.all(
    [stack.upstash.url, stack.supabase.url].map((url) => tlsFront(t, url, front)),
  )
  const caches = fleet(stack, { upstashUrl: store.url, supabaseUrl: source.url, ...options })
  const instance = (own) => {
    const cache = caches.instance(own)
    t.teardown(() => cache.close())
    return cache
  }
  return { ...caches, instance, store, source }
}

for (const [words, front, version] of [
  ['by HTTP/2 where the server speaks it', { http2: true }, '2.0'],
  ['by HTTP/1.1 where it does not', { http2: false }, '1.1'],
]) {
  test.serial(`prompt, fill, invalidation and stream go over TLS ${words}`, async (t) => {
    const { instance, store, source, prefix } = await fleetOverTls(t, {}, front)
    const [first, second] = [instance(), instance()]
    t.like(await first.fetchActiveSystemPromptConfig(), { content: PROMPT, tier: 'source' })
    await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
    t.like(await second.fetchActiveSystemPromptConfig(), { content: PROMPT, tier: 'redis' })
    for (const each of [first, second]) {
      await until(async () => (await each.debugSystemPrompt()).redis.pushConnected, 'the stream')
    }
    await first.invalidateSystemPrompt()
    await until(() => second.stats().pushes === 1, 'the announcement')
    t.deepEqual([...new Set([...store.versions, ...source.versions])], [version])
  })
}

test.serial('over HTTP/2, many reads at once share a connection', async (t) => {
  const { instance, store } = await fleetOverTls(t, { ...ASKING, push: false })
  const cache = instance()
  await cache.fetchActiveSystemPrompt()
  const connected = store.connections
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 10 }, () => cache.debugSystemPrompt()))
  }
  t.true(store.versions.length > 100)
  t.is(store.connections, connected)
})

for (const [words, front] of [
  ['HTTP/2', { http2: true }],
  ['HTTP/1.1', { http2: false }],
]) {
  test.serial(`over ${words}, a line that went dead costs one read`, async (t) => {
    const options = { ...ASKING, push: false, redisTimeoutMs: 1500, sourceTimeoutMs: 5000 }
    const { instance, store, prefix } = await fleetOverTls(t, options, front)
    const cache = instance()
    await cache.fetchActiveSystemPrompt()
    await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
    t.is((await cache.fetchActiveSystemPromptConfig()).tier, 'redis')

    store.vanish()
    const found = await cache.fetchActiveSystemPromptConfig()
    t.is(found.content, PROMPT)
    t.is(found.tier, 'source')
    for (let read = 0; read < 5; read++) {
      t.is((await cache.fetchActiveSystemPromptConfig()).tier, 'redis')
    }
  })
}

test.serial(
  'a certificate that nobody vouches for is refused before anything is sent',
  async (t) => {
    delete process.env.NODE_EXTRA_CA_CERTS
    t.teardown(() => (process.env.NODE_EXTRA_CA_CERTS = AUTHORITY))
    const { store, source } = await fleetOverTls(t)
    const cache = promptCache({
      upstashUrl: store.url,
      upstashToken: stack.upstash.token,
      supabaseUrl: source.url,
      supabaseKey: stack.supabase.serviceKey,
      fallbackPrompt: 'the fallback',
      logLevel: 'silent',
    })
    t.teardown(() => cache.close())
    t.is(await cache.fetchActiveSystemPrompt(), 'the fallback')
    t.is((await cache.debugSystemPrompt()).redis.error, 'unreachable')
    t.deepEqual([...store.versions, ...source.versions], [])
    t.true(store.connections > 0, 'it was tried')
  },
)
