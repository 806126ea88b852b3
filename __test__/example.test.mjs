// The Express example as its clients see it: real processes, over the real stack.
import { randomUUID } from 'node:crypto'
import test from 'ava'
import { fingerprintOf } from '../dev/fingerprint.mjs'
import { startInstance, startInstances } from '../dev/instances.mjs'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { measurePropagation } from '../dev/propagation.mjs'
import { withStack } from './support/stack.mjs'
import { until } from '../dev/until.mjs'

const stack = withStack(test)
const FALLBACK = 'You are a helpful guide. Answer briefly, and say so when you do not know.'

// The tests share one table and two fault switches, hence test.serial below.
test.afterEach.always(() => {
  stack.upstash.faults.clear()
  stack.supabase.faults.clear()
})

/** Instances on the stack, on keys that no other test uses; they end with the test. */
async function fleet(t, { count = 1, ...environment } = {}) {
  const keys = { CACHE_KEY_PREFIX: `test:${randomUUID()}` }
  const instances = await startInstances({
    count,
    environment: { ...stack.environment, ...keys, ...environment },
  })
  t.teardown(() => Promise.all(instances.map((instance) => instance.stop())))
  return instances
}

async function post(instance, path, body, headers = { 'content-type': 'application/json' }) {
  const response = await fetch(instance.url + path, { method: 'POST', headers, body })
  return { status: response.status, body: await response.json() }
}

const invalidate = (instance, body) => post(instance, '/api/cache/invalidate', body)

async function activate(identity) {
  const payload = { identity, closingBehavior: 'question', responseMode: 'librarian' }
  const row = await activatePrompt(stack.sql, { title: `Titled ${identity}`, payload })
  return { row, fingerprint: fingerprintOf(payload) }
}

test.serial('healthz answers without asking store or source', async (t) => {
  const [instance] = await fleet(t)
  stack.upstash.resetCounters()
  stack.supabase.resetCounters()
  const response = await fetch(`${instance.url}/healthz`)
  t.deepEqual([response.status, await response.json()], [200, { status: 'ok' }])
  t.deepEqual([stack.upstash.requests, stack.supabase.requests], [0, 0])
})

test.serial('a chat tells which prompt it got, and not the prompt', async (t) => {
  const { row, fingerprint } = await activate('you are chat shape')
  const [instance] = await fleet(t)
  const chat = await instance.chat()
  const { sessionId, systemPromptMs, generation, version, ...rest } = chat
  t.regex(sessionId, /^[0-9a-f-]{36}$/)
  t.true(systemPromptMs >= 0 && systemPromptMs < 5000)
  t.true(Number.isSafeInteger(generation))
  t.is(new Date(version).getTime(), row.updated_at.getTime())
  t.deepEqual(rest, {
    source: 'supabase',
    tier: 'source',
    title: 'Titled you are chat shape',
    closingBehavior: 'question',
    responseMode: 'librarian',
    contentLength: '## Identity\nyou are chat shape'.length,
    sha256: fingerprint,
  })
  t.not((await instance.chat()).sessionId, sessionId)
})

test.serial('the debug route has the whole prompt and the state of Redis', async (t) => {
  await activate('you are debugged')
  const [instance] = await fleet(t)
  const debug = await instance.debug()
  t.like(debug, {
    source: 'supabase',
    responseMode: 'librarian',
    closingBehavior: 'question',
    useBreadcrumbTags: true,
    useTopicTags: true,
    useNavigationBlocks: true,
    fullContent: '## Identity\nyou are debugged',
    contentLength: '## Identity\nyou are debugged'.length,
    redis: { configured: true, reachable: true, error: null },
  })
  t.true(debug.contentPreview.startsWith('## Identity\nyou are'))
  t.is(new Date(debug.fetchedAt).toISOString(), debug.fetchedAt)
})

const BODIES = [
  ['the type system-prompt', '{"type":"system-prompt"}', 'system-prompt'],
  ['no body', undefined, 'all'],
  ['an empty body', '', 'all'],
  ['an empty object', '{}', 'all'],
  ['an empty type', '{"type":""}', 'all'],
  ['the type null', '{"type":null}', 'all'],
]
test.serial('invalidate takes the type system-prompt, or none at all', async (t) => {
  const [instance] = await fleet(t)
  let last = 0
  for (const [situation, body, invalidated] of BODIES) {
    const answer = await invalidate(instance, body)
    const { generation, committedAt, instances, provenAfterMs, ...rest } = answer.body
    const message = 'Cache invalidated'
    t.true(Math.abs(Date.now() - committedAt) < 5000, situation)
    t.true(Array.isArray(instances) && provenAfterMs <= 1000, situation)
    t.is(answer.status, 200, situation)
    t.deepEqual(rest, { success: true, message, invalidated, shared: true }, situation)
    t.true(generation > last, situation)
    last = generation
  }
  const response = await fetch(`${instance.url}/api/cache/invalidate`, { method: 'POST' })
  t.is((await response.json()).invalidated, 'all', 'not even a content type')
})

test.serial('another type invalidates nothing and says so', async (t) => {
  const [instance] = await fleet(t)
  const { generation } = await instance.chat()
  t.deepEqual(await invalidate(instance, '{"type":"rag-context"}'), {
    status: 200,
    body: {
      success: true,
      message: 'Nothing to invalidate for type "rag-context"',
      invalidated: null,
    },
  })
  t.is((await instance.chat()).generation, generation)
  t.is((await instance.debug()).counters.invalidations, 0)
})

test.serial('a type that is no string and a body that is no JSON are refused', async (t) => {
  const [instance] = await fleet(t)
  for (const body of ['{"type":7}', '{"type":["system-prompt"]}', '{"type":false}', '{"ty', '7']) {
    const answer = await invalidate(instance, body)
    t.is(answer.status, 400, body)
    t.deepEqual(Object.keys(answer.body), ['error'], body)
  }
  t.is((await instance.debug()).counters.invalidations, 0)
})

test.serial('a change invalidated through one instance is served by all three', async (t) => {
  await activate('you are old')
  const instances = await fleet(t, { count: 3 })
  for (const instance of instances) await instance.chat()
  for (const through of instances) {
    const { fingerprint } = await activate(`you are new through ${through.name}`)
    const { arrivals } = await measurePropagation({
      instances,
      through,
      isNew: (chat) => chat.sha256 === fingerprint,
    })
    for (const { instance, afterMs } of arrivals) {
      t.true(afterMs !== null && afterMs < 1000, `${instance.name}: ${afterMs} ms`)
    }
  }
})

test.serial('a process that wakes from a freeze does not serve what it held', async (t) => {
  await activate('you are awake')
  const [admin, sleeper] = await fleet(t, { count: 2 })
  t.teardown(() => process.kill(sleeper.pid, 'SIGCONT'))
  t.teardown(() => stack.upstash.faults.silenceStreams(false))
  // Nobody tells it, so that only its clock can.
  stack.upstash.faults.silenceStreams()
  for (let round = 0; round < 3; round++) {
    await until(async () => (await sleeper.chat()).tier === 'memory', 'a lease')
    process.kill(sleeper.pid, 'SIGSTOP')
    const { fingerprint } = await activate(`you are new in round ${round}`)
    t.is((await invalidate(admin)).status, 200)
    // The bound itself has to pass.
    await new Promise((resolve) => setTimeout(resolve, 1001))
    // It waits in the socket, so it is the first read after the process woke.
    const chat = sleeper.chat()
    process.kill(sleeper.pid, 'SIGCONT')
    t.is((await chat).sha256, fingerprint)
  }
})

test.serial('an edit is not served before it is invalidated', async (t) => {
  const old = await activate('you are cached')
  const [instance] = await fleet(t)
  t.like(await instance.chat(), { sha256: old.fingerprint })
  await activate('you are not invalidated')
  t.is((await instance.chat()).sha256, old.fingerprint)
})

test.serial('without the store invalidate is a 500 and chats get the prompt', async (t) => {
  const { fingerprint } = await activate('you are from Supabase')
  const [instance] = await fleet(t)
  stack.upstash.faults.set({ kind: 'status', code: 503 })
  t.deepEqual(await invalidate(instance, '{"type":"system-prompt"}'), {
    status: 500,
    body: { error: 'Cache invalidation failed', code: 'STORE_UNAVAILABLE', retryable: true },
  })
  t.like(await instance.chat(), { tier: 'source', sha256: fingerprint })
  t.false((await instance.debug()).redis.reachable)
})

test.serial('with a store that hangs the chat still gets the prompt in time', async (t) => {
  const { fingerprint } = await activate('you are patient')
  const [instance] = await fleet(t)
  stack.upstash.faults.set({ kind: 'hang' })
  const chat = await instance.chat()
  t.like(chat, { tier: 'source', sha256: fingerprint })
  t.true(chat.systemPromptMs < 2000, `${chat.systemPromptMs} ms`)
})

test.serial('without store and source chats get the fallback prompt', async (t) => {
  const [instance] = await fleet(t)
  stack.upstash.faults.set({ kind: 'hang' })
  stack.supabase.faults.set({ kind: 'hang' })
  const chat = await instance.chat()
  t.like(chat, { source: 'fallback', tier: 'fallback', contentLength: FALLBACK.length })
  t.true(chat.systemPromptMs < 3500, `${chat.systemPromptMs} ms`)
  t.is((await instance.debug()).fullContent, FALLBACK)
})

test.serial('with an empty URL there is no shared cache, and all else is as before', async (t) => {
  await activate('you are rolled back')
  const [instance] = await fleet(t, { UPSTASH_REDIS_REST_URL: '' })
  stack.upstash.resetCounters()
  await instance.chat()
  const { fingerprint } = await activate('you are edited')
  t.like((await invalidate(instance)).body, { success: true, generation: null, shared: false })
  t.like(await instance.chat(), { tier: 'source', sha256: fingerprint, generation: null })
  t.false((await instance.debug()).redis.configured)
  t.is(stack.upstash.requests, 0)
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  test.serial(`${signal} lets a request under way finish, then ends with status 0`, async (t) => {
    const { fingerprint } = await activate(`you are there at ${signal}`)
    const [instance] = await fleet(t, { UPSTASH_REDIS_REST_URL: '' })
    await instance.chat()
    // Without a lease, so that the next chat asks the source.
    await invalidate(instance)
    stack.supabase.faults.set({ kind: 'delay', ms: 500 })
    const before = stack.supabase.faults.hits
    const chat = instance.chat()
    // Its read has reached the source, so it is under way.
    while (stack.supabase.faults.hits === before) await new Promise(setImmediate)
    process.kill(instance.pid, signal)
    t.is((await chat).sha256, fingerprint)
    const answered = performance.now()
    t.deepEqual(await instance.ended, { code: 0, signal: null })
    // The client keeps its connection, which a server would otherwise wait for: 5 seconds.
    t.true(performance.now() - answered < 2500)
    await t.throwsAsync(instance.chat(), { message: 'fetch failed' })
  })
}

test.serial('a server that cannot start says why', async (t) => {
  const error = await t.throwsAsync(startInstance({ environment: { LOG_LEVEL: 'loud' } }))
  t.regex(error.message, /^instance ended with status 1 before it listened/)
  t.regex(error.message, /option logLevel is "loud"/)
})

test.serial('with ADMIN_TOKEN, the admin routes ask for it and the others do not', async (t) => {
  const token = 'canary-admin-token'
  const [instance] = await fleet(t, { ADMIN_TOKEN: token })
  const routes = [
    ['POST', '/api/cache/invalidate'],
    ['GET', '/api/debug/system-prompt'],
    ['GET', '/console/state'],
    ['GET', '/metrics'],
  ]
  const send = (method, path, authorization) =>
    fetch(instance.url + path, { method, headers: authorization ? { authorization } : {} })
  for (const [method, path] of routes) {
    for (const authorization of [
      undefined,
      token,
      'Bearer',
      'Bearer wrong',
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Basic ${token}`,
    ]) {
      const response = await send(method, path, authorization)
      t.is(response.status, 401, `${path} ${authorization}`)
      t.false((await response.text()).includes(token))
    }
    for (const authorization of [`Bearer ${token}`, `bearer  ${token}`]) {
      t.is((await send(method, path, authorization)).status, 200, `${path} ${authorization}`)
    }
  }
  t.is((await send('GET', '/healthz')).status, 200)
  t.is((await send('POST', '/api/chat/init')).status, 200)
  t.is((await send('GET', '/console')).status, 200)
})

test.serial('an address that asks too often is told to wait, and chats go on', async (t) => {
  const [instance] = await fleet(t)
  const statuses = []
  for (let sent = 0; sent < 700; sent += 100) {
    const route = `${instance.url}/api/debug/system-prompt`
    const responses = await Promise.all(Array.from({ length: 100 }, () => fetch(route)))
    for (const response of responses) {
      statuses.push(response.status)
      await response.arrayBuffer()
    }
  }
  const count = (status) => statuses.filter((each) => each === status).length
  t.deepEqual([count(200), count(429)], [600, 100])
  t.is(typeof (await instance.chat()).sessionId, 'string')
})

test.serial('a flood of invalidations costs the store a few requests each 100 ms', async (t) => {
  await activate('you are flooded')
  const [instance] = await fleet(t)
  await instance.chat()
  const isProvenAtOnce = async () => (await instance.invalidate()).provenAfterMs < 500
  await until(isProvenAtOnce, 'a list of the fleet that is whole')
  const before = stack.upstash.requests
  const begun = performance.now()
  const answers = []
  for (let sent = 0; sent < 500; sent += 10) {
    answers.push(...Array.from({ length: 10 }, () => invalidate(instance, '')))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const ended = await Promise.all(answers)
  const tenths = Math.ceil((performance.now() - begun) / 100)
  t.true(ended.every(({ status, body }) => status === 200 && body.shared))
  const requests = stack.upstash.requests - before
  // The invalidation, who is listed, how they stand, and the renewed lease; the first and the last load the prompt for all, too.
  t.true(requests <= 4 * tenths + 12, `${requests} requests in ${tenths} tenths of a second`)
  t.is((await instance.chat()).contentLength, '## Identity\nyou are flooded'.length)
})
