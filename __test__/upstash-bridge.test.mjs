// The local bridge against the facts of Upstash's REST protocol, over a real redis-server: by the official client where
// it can ask, by plain HTTP where it cannot. At the end, the embedded store against redis-server.

import { createHash } from 'node:crypto'
import { Agent, request as httpRequest } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { Redis } from '@upstash/redis'
import test from 'ava'

import { startRedis } from '../dev/redis.mjs'
import { QUOTA_BODY } from '../dev/upstash/errors.mjs'
import { startUpstash } from '../dev/upstash/server.mjs'

let store
let names = 0

test.before(async () => {
  store = await startRedis()
})
test.after.always(() => store?.stop())

/** A bridge of the test's own, so that its counters and faults are, too. */
async function bridgeFor(t, options = {}) {
  const upstash = await startUpstash({ redis: store, ...options })
  t.teardown(() => upstash.stop())
  names += 1
  const key = `test-${names}`
  const client = new Redis({
    url: upstash.url,
    token: upstash.token,
    retry: false,
    enableTelemetry: false,
  })
  const send = (path, { token = upstash.token, headers, ...init } = {}) =>
    fetch(upstash.url + path, {
      method: 'POST',
      ...init,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    })
  const ask = async (path, init) => {
    const response = await send(path, init)
    return [response.status, JSON.parse(await response.text())]
  }
  const command = (...words) => ask('/', { body: JSON.stringify(words) })
  return { upstash, key, client, send, ask, command }
}

/** Lines of an event stream as they arrive. */
async function openStream(bridge, path) {
  const abort = new AbortController()
  const response = await bridge.send(path, {
    body: '[]',
    headers: { accept: 'text/event-stream' },
    signal: abort.signal,
  })
  const reader = response.body.getReader()
  let bytes = Buffer.alloc(0)
  const readUntil = async (enough) => {
    while (!enough(bytes.toString())) {
      const { done, value } = await reader.read()
      if (done) return 'ended'
      bytes = Buffer.concat([bytes, value])
    }
    return bytes.toString()
  }
  return { response, readUntil, close: () => abort.abort(), chunk: () => reader.read() }
}

/** Seconds to live, asked for a moment after they were set. */
function isNear(t, seconds, set) {
  t.true(seconds <= set && seconds > set - 20, `${seconds} of ${set} s`)
}

async function until(condition) {
  while (!(await condition())) await nextTurn()
}

// --- T1: shapes of requests

test('a command in the body runs, its numbers and booleans as strings', async (t) => {
  const { key, command } = await bridgeFor(t)
  t.deepEqual(await command('SET', key, 'bar', 'EX', 100), [200, { result: 'OK' }])
  isNear(t, (await command('ttl', key))[1].result, 100)
  t.deepEqual(await command('set', key, true), [200, { result: 'OK' }])
  t.deepEqual(await command('get', key), [200, { result: 'true' }])
  t.deepEqual(await command('rpush', `${key}:list`, 1, 2.5, false), [200, { result: 3 }])
  t.deepEqual(await command('lrange', `${key}:list`, 0, -1), [
    200,
    { result: ['1', '2.5', 'false'] },
  ])
})

test('a command in the path takes the body as its last path argument and the query after it', async (t) => {
  const { key, ask, send, command } = await bridgeFor(t)
  t.deepEqual(await ask(`/set/${key}/bar`, { method: 'GET' }), [200, { result: 'OK' }])
  t.deepEqual(await ask(`/set/${key}?EX=100`, { body: 'a/b?c' }), [200, { result: 'OK' }])
  t.deepEqual(await ask(`/get/${key}`, { method: 'GET' }), [200, { result: 'a/b?c' }])
  isNear(t, (await command('ttl', key))[1].result, 100)
  t.deepEqual(await ask(`/set/${key}?NX`, { method: 'PUT', body: 'other' }), [
    200,
    { result: null },
  ])
  t.deepEqual(await ask(`/set/${key}/sp%20ace%2F`, { method: 'GET' }), [200, { result: 'OK' }])
  const head = await send(`/get/${key}`, { method: 'HEAD' })
  t.deepEqual([head.status, await head.text()], [200, ''], 'HEAD answers no body')
  t.deepEqual(await ask(`/get/${key}`, { method: 'GET' }), [200, { result: 'sp ace/' }])
})

test('integers keep all digits of 64 bits', async (t) => {
  const { key, command, send } = await bridgeFor(t)
  await command('set', key, '9007199254740992')
  const response = await send('/', { body: JSON.stringify(['incr', key]) })
  t.is(await response.text(), '{"result":9007199254740993}')
})

test('the official client reads back what it wrote', async (t) => {
  const { key, client } = await bridgeFor(t)
  t.is(await client.set(key, { prompt: 'Grüße, “you” 🌳' }, { ex: 60 }), 'OK')
  t.deepEqual(await client.get(key), { prompt: 'Grüße, “you” 🌳' })
  t.deepEqual(await client.mget(key, `${key}:none`), [{ prompt: 'Grüße, “you” 🌳' }, null])
  t.is(await client.expire(key, 30), 1)
  isNear(t, await client.ttl(key), 30)
  t.is(await client.del(key), 1)
  t.is(await client.get(key), null)
})

// --- T2: base64

test('base64 encodes every string but OK', async (t) => {
  const { key, ask } = await bridgeFor(t)
  const headers = { 'upstash-encoding': 'base64' }
  const binary = Buffer.from([0, 255, 254, 10, 13, 128])
  t.deepEqual(await ask(`/set/${key}`, { body: binary, headers }), [200, { result: 'OK' }])
  t.deepEqual(
    await ask(`/get/${key}`, { headers }),
    [200, { result: binary.toString('base64') }],
    'exact bytes',
  )
  const script = `return {'', 'a', false, 7, {'b', {'c'}}}`
  const nested = ['', 'YQ==', null, 7, ['Yg==', ['Yw==']]]
  const run = await ask('/', { body: JSON.stringify(['eval', script, 0]), headers })
  t.deepEqual(run, [200, { result: nested }])
  const pipeline = JSON.stringify([
    ['get', `${key}:none`],
    ['incr', key],
    ['echo', 'x'],
  ])
  t.deepEqual(await ask('/pipeline', { body: pipeline, headers }), [
    200,
    [
      { result: null },
      { error: 'ERR value is not an integer or out of range' },
      { result: 'eA==' },
    ],
  ])
})

test('without base64, bytes that are not UTF-8 become U+FFFD', async (t) => {
  const { key, ask } = await bridgeFor(t)
  await ask(`/set/${key}`, { body: Buffer.from([97, 255, 98]) })
  t.deepEqual(await ask(`/get/${key}`), [200, { result: 'a\ufffdb' }])
})

test('resp2 answers the raw protocol, transactions stay JSON, other formats are refused', async (t) => {
  const { key, send, ask } = await bridgeFor(t)
  const headers = { 'upstash-response-format': 'resp2' }
  const raw = async (path, body) => {
    const response = await send(path, { headers, body: JSON.stringify(body) })
    t.is(response.headers.get('content-type'), 'application/octet-stream')
    return [response.status, Buffer.from(await response.arrayBuffer()).toString('latin1')]
  }
  await ask(`/set/${key}`, { body: Buffer.from([255, 0]) })
  t.deepEqual(await raw('/', ['mget', key, `${key}:none`]), [
    200,
    '*2\r\n$2\r\n\xff\x00\r\n$-1\r\n',
  ])
  t.deepEqual(await raw('/', ['set', `${key}:ok`, 'OK']), [200, '+OK\r\n'], 'a status')
  t.deepEqual(
    await raw('/', ['get', `${key}:ok`]),
    [200, '$2\r\nOK\r\n'],
    'a string of the same text',
  )
  t.deepEqual(await raw('/', ['get']), [
    400,
    `-ERR wrong number of arguments for 'get' command\r\n`,
  ])
  t.deepEqual(
    await raw('/pipeline', [
      ['exists', key],
      ['incr', key],
    ]),
    [200, ':1\r\n-ERR value is not an integer or out of range\r\n'],
  )
  const multi = await ask('/multi-exec', { headers, body: JSON.stringify([['exists', key]]) })
  t.deepEqual(multi, [200, [{ result: 1 }]])
  const echoed = await ask('/multi-exec', {
    headers: { ...headers, 'upstash-encoding': 'base64' },
    body: '[["echo","x"]]',
  })
  t.deepEqual(echoed, [200, [{ result: 'eA==' }]], 'where the format is ignored')
  const [other] = await ask('/', {
    headers: { 'upstash-response-format': 'resp3' },
    body: '["ping"]',
  })
  const [both] = await ask('/', {
    headers: { ...headers, 'upstash-encoding': 'base64' },
    body: '["ping"]',
  })
  t.deepEqual([other, both], [400, 400])
})

// --- T3, T4: pipelines and transactions

test('a failing item in a pipeline fails alone', async (t) => {
  const { key, ask, client } = await bridgeFor(t)
  const body = JSON.stringify([
    ['set', key, 'x'],
    ['incr', key],
    ['lpush', key, 'y'],
    ['get', key],
  ])
  t.deepEqual(await ask('/pipeline', { body }), [
    200,
    [
      { result: 'OK' },
      { error: 'ERR value is not an integer or out of range' },
      { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
      { result: 'x' },
    ],
  ])
  const results = await client.pipeline().get(key).incr(key).get(key).exec({ keepErrors: true })
  t.deepEqual(
    results.map(({ result, error }) => error ?? result),
    ['x', 'ERR value is not an integer or out of range', 'x'],
  )
})

test('a runtime error in a transaction fails alone, an unknown command discards it', async (t) => {
  const { key, ask } = await bridgeFor(t)
  const multi = (...commands) => ask('/multi-exec', { body: JSON.stringify(commands) })
  t.deepEqual(await multi(['set', key, 'x'], ['incr', key], ['get', key]), [
    200,
    [{ result: 'OK' }, { error: 'ERR value is not an integer or out of range' }, { result: 'x' }],
  ])
  const discarded = { error: 'EXECABORT Transaction discarded because of previous errors.' }
  t.deepEqual(await multi(['set', key, 'y'], ['nope']), [400, discarded])
  t.deepEqual(await multi(['set', key, 'y'], ['get']), [400, discarded])
  const [status, { error }] = await multi(['set', key, 'y'], ['blpop', key, '0'])
  t.deepEqual(
    [status, /not available/.test(error)],
    [400, true],
    'so does one that REST does not have',
  )
  t.deepEqual(await ask(`/get/${key}`), [200, { result: 'x' }], 'nothing of them ran')
})

test('transactions of many clients do not mix', async (t) => {
  const { key, ask } = await bridgeFor(t)
  const body = JSON.stringify([
    ['incr', key],
    ['eval', `return redis.call('incr', KEYS[1])`, 1, key],
    ['incr', key],
  ])
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask('/multi-exec', { body })))
  for (const [, [first, second, third]] of answers) {
    t.deepEqual([second.result, third.result], [first.result + 1, first.result + 2])
  }
})

// --- T5: refusals

test('a wrong or missing token is refused with 401', async (t) => {
  const { upstash, ask } = await bridgeFor(t)
  const refusal = [401, { error: 'WRONGPASS invalid or missing auth token' }]
  t.deepEqual(await ask('/get/foo', { token: null }), refusal)
  t.deepEqual(await ask('/get/foo', { token: 'wrong' }), refusal)
  t.deepEqual(await ask('/get/foo?_token=wrong', { token: null }), refusal)
  const [status] = await ask(`/get/foo?_token=${upstash.token}`, { token: null })
  t.is(status, 200, 'the token may be in the query')
})

test('malformed requests get the texts of the service', async (t) => {
  const { ask, send } = await bridgeFor(t)
  const cases = [
    ['/', 'no json', 'ERR failed to parse command'],
    ['/', '{"a":1}', 'ERR failed to parse command'],
    ['/', '["set","k",null]', 'ERR failed to parse command'],
    ['/', '[]', 'ERR empty command'],
    ['/pipeline', '["get","k"]', 'ERR failed to parse pipeline request'],
    ['/pipeline', '{', 'ERR failed to parse pipeline request'],
    ['/pipeline', '[]', 'ERR empty pipeline request'],
    ['/multi-exec', '[["get","k"],[]]', 'ERR empty pipeline command'],
    ['/', '["get"]', `ERR wrong number of arguments for 'get' command`],
    ['/get/%zz', '', 'ERR failed to parse command'],
  ]
  for (const [path, body, error] of cases)
    t.deepEqual(await ask(path, { body }), [400, { error }], `${path} ${body}`)
  for (const method of ['DELETE', 'PATCH', 'OPTIONS'])
    t.is((await send('/get/k', { method })).status, 405, method)
  t.is((await send('/pipeline', { method: 'GET' })).status, 405)
})

test('commands that REST does not have are refused before they reach the store', async (t) => {
  const { command, upstash } = await bridgeFor(t)
  for (const name of [
    'BLPOP',
    'WATCH',
    'MULTI',
    'SUBSCRIBE',
    'CLUSTER',
    'CLIENT',
    'SELECT',
    'MONITOR',
    'SHUTDOWN',
  ]) {
    const [status, { error }] = await command(name, 'x', '0')
    t.deepEqual(
      [status, error.startsWith(`ERR Command is not available: '${name}'`)],
      [400, true],
      name,
    )
  }
  const [status] = await command('xread', 'BLOCK', '0', 'STREAMS', 's', '$')
  t.is(status, 400, 'a blocking stream read')
  t.deepEqual(await command('PING'), [200, { result: 'PONG' }])
  t.is(upstash.commands, 1, 'only what ran is billed')
})

test('a read-only token reads and may not write, publish, run scripts or list keys', async (t) => {
  const { upstash, key, ask, command } = await bridgeFor(t)
  await command('set', key, 'x')
  const reading = (...words) =>
    ask('/', { token: upstash.readOnlyToken, body: JSON.stringify(words) })
  t.deepEqual(await reading('mget', key), [200, { result: ['x'] }])
  const writes = [
    ['set', key, 'y'],
    ['publish', key, 'm'],
    ['eval', 'return 1', '0'],
    ['keys', '*'],
    ['scan', '0'],
  ]
  for (const words of writes) {
    const error = `NOPERM this user has no permissions to run the '${words[0]}' command`
    t.deepEqual(await reading(...words), [400, { error }])
  }
  const [status] = await ask('/multi-exec', {
    token: upstash.readOnlyToken,
    body: JSON.stringify([['del', key]]),
  })
  t.is(status, 400)
  t.deepEqual(await command('get', key), [200, { result: 'x' }])
})

test('a request over the size limit is refused, the connection stays usable', async (t) => {
  const { key, ask } = await bridgeFor(t, { maxRequestBytes: 1000 })
  t.deepEqual(await ask(`/set/${key}`, { body: 'x'.repeat(1001) }), [
    413,
    { error: 'ERR max request size exceeded. Limit: 1000 bytes, Actual: 1001 bytes' },
  ])
  t.deepEqual(await ask(`/set/${key}`, { body: 'x'.repeat(1000) }), [200, { result: 'OK' }])
})

// --- T6, T7: what a fault puts in front

test('quota, proxy pages, garbage and redirects reach the client as they are, and end with clear', async (t) => {
  const { upstash, send, ask } = await bridgeFor(t)
  const shown = async () => {
    const response = await send('/', { body: '["ping"]', redirect: 'manual' })
    return [response.status, response.headers.get('content-type'), await response.text()]
  }
  upstash.faults.set({ kind: 'status', code: 400, body: QUOTA_BODY })
  t.deepEqual(await shown(), [400, 'application/json', QUOTA_BODY])
  upstash.faults.set({
    kind: 'status',
    code: 502,
    body: '<html>Bad Gateway</html>',
    contentType: 'text/html',
  })
  t.deepEqual(await shown(), [502, 'text/html', '<html>Bad Gateway</html>'])
  upstash.faults.set({ kind: 'garbage' })
  t.deepEqual(await shown(), [200, 'application/json', '{"result":"OK'])
  upstash.faults.set({ kind: 'wrongJson' })
  t.deepEqual(await shown(), [200, 'application/json', '{"unexpected":[1,{"shape":true}]}'])
  upstash.faults.set({ kind: 'redirect', location: 'http://127.0.0.1:9/' })
  t.is((await shown())[0], 302)
  upstash.faults.set({ kind: 'huge', bytes: 3_000_000 })
  const [, , huge] = await shown()
  t.deepEqual([huge.length, JSON.parse(huge).result.slice(0, 3)], [3_000_000, 'aaa'])
  upstash.faults.set({ kind: 'status', code: 429, times: 1 })
  t.is((await shown())[0], 429)
  t.deepEqual(await ask('/ping'), [200, { result: 'PONG' }], 'a fault of one time is over')
  upstash.faults.set({ kind: 'status', code: 401, match: ({ url }) => url === '/pipeline' })
  t.deepEqual(
    await ask('/ping'),
    [200, { result: 'PONG' }],
    'a fault for one path spares the others',
  )
  t.throws(() => upstash.faults.set({ kind: 'nosuch' }), { instanceOf: TypeError })
})

test('a truncated answer and a reset answer fail in the client while it reads the body', async (t) => {
  const { upstash, send } = await bridgeFor(t)
  for (const kind of ['truncated', 'reset']) {
    upstash.faults.set({ kind })
    const failure = await t.throwsAsync(async () => {
      const response = await send('/', { body: '["ping"]' })
      await response.text()
    })
    t.regex(failure.message, /terminated|fetch failed/, kind)
  }
})

test('the official client reports a quota and a proxy page as errors', async (t) => {
  const { upstash, key, client } = await bridgeFor(t)
  upstash.faults.set({ kind: 'status', code: 400, body: QUOTA_BODY })
  await t.throwsAsync(client.get(key), { message: /max requests limit exceeded/ })
  upstash.faults.set({ kind: 'status', code: 502, body: '<html></html>', contentType: 'text/html' })
  await t.throwsAsync(client.get(key), { name: 'UpstashJSONParseError' })
})

// --- T8: sync token

test('every answer carries a sync token that grows with writes and stays with reads', async (t) => {
  const { key, send } = await bridgeFor(t)
  const tokenAfter = async (path, body, headers) => {
    const response = await send(path, { body: JSON.stringify(body), headers })
    await response.text()
    return response.headers.get('upstash-sync-token')
  }
  const start = await tokenAfter('/', ['get', key], { 'upstash-sync-token': '' })
  t.truthy(start, 'an empty token is accepted')
  const tokens = [
    start,
    await tokenAfter('/', ['set', key, 'x'], { 'upstash-sync-token': start }),
    await tokenAfter('/pipeline', [
      ['get', key],
      ['del', key],
    ]),
    await tokenAfter('/', ['eval', `return redis.call('SET', KEYS[1], 'y')`, 1, key]),
    await tokenAfter('/multi-exec', [['set', key, 'z']]),
  ]
  t.deepEqual([...tokens].sort(), tokens)
  t.is(new Set(tokens).size, tokens.length, 'one for each write')
  t.is(
    await tokenAfter('/', ['get', key], { 'upstash-sync-token': 'not one of ours' }),
    tokens.at(-1),
  )
  t.is(await tokenAfter('/', ['nosuch'].slice(0, 0)), tokens.at(-1), 'refusals carry it, too')
})

test('the official client sends back the token it got', async (t) => {
  const { upstash, key, client } = await bridgeFor(t)
  const sent = []
  upstash.faults.set({
    kind: 'delay',
    ms: 0,
    match: ({ headers }) => sent.push(headers['upstash-sync-token']) && false,
  })
  await client.set(key, 1)
  await client.get(key)
  t.is(sent[0], '')
  t.truthy(sent[1])
})

// --- T9–T11: subscriptions

const FRAMINGS = {
  'blank line': {},
  'newline only': { ending: '\n' },
  'one CRLF': { ending: '\r\n' },
  'two CRLF': { ending: '\r\n\r\n' },
  'comments between': { comments: true },
  'no space': { space: false },
  'comments and CRLF': { comments: true, ending: '\r\n\r\n' },
}
for (const [name, framing] of Object.entries(FRAMINGS)) {
  for (const chunks of ['whole', 'bytes', 'split-utf8']) {
    test(`events framed with ${name}, cut ${chunks}, arrive as sent`, async (t) => {
      const bridge = await bridgeFor(t)
      const { upstash, key, command } = bridge
      upstash.faults.frameStreams({ ...framing, chunks })
      const stream = await openStream(bridge, `/subscribe/${key}`)
      const { ending = '\n\n', comments, space = true } = framing
      const event = (text) =>
        `${comments ? `: keep-alive${ending}` : ''}data:${space ? ' ' : ''}${text}${ending}`
      const subscribed = event(`subscribe,${key},1`)
      t.is(await stream.readUntil((text) => text.length >= subscribed.length), subscribed)
      t.deepEqual(await command('publish', key, 'a,ü€🌳'), [200, { result: 1 }])
      const all = subscribed + event(`message,${key},a,ü€🌳`)
      t.is(await stream.readUntil((text) => Buffer.byteLength(text) >= Buffer.byteLength(all)), all)
      stream.close()
    })
  }
}

test('publish counts the streams it reaches, by channel and by pattern', async (t) => {
  const bridge = await bridgeFor(t)
  const { upstash, key, command } = bridge
  t.deepEqual(await command('publish', key, 'm'), [200, { result: 0 }])
  const direct = await openStream(bridge, `/subscribe/${key}`)
  const pattern = await openStream(bridge, `/psubscribe/${key}*`)
  const both = await openStream(bridge, `/subscribe/${key}/${key}-b`)
  await direct.readUntil((text) => text.includes('subscribe'))
  t.is(await pattern.readUntil((text) => text.endsWith('\n\n')), `data: psubscribe,${key}*,1\n\n`)
  await both.readUntil((text) => text.includes(`subscribe,${key}-b,2`))
  t.is(upstash.faults.streams.size, 3)
  t.deepEqual(await command('publish', key, 'm'), [200, { result: 3 }])
  t.regex(
    await pattern.readUntil((text) => text.includes('pmessage')),
    new RegExp(`data: pmessage,${key}\\*,${key},m`),
  )
  for (const stream of [direct, pattern, both]) stream.close()
  await until(async () => (await command('publish', key, 'm'))[1].result === 0)
  t.is(upstash.faults.streams.size, 0, 'a stream that its client left is gone')
})

test('a payload is never base64 and a subscription without the accept header is refused', async (t) => {
  const bridge = await bridgeFor(t)
  const { key, client, ask } = bridge
  const [status] = await ask(`/subscribe/${key}`, { body: '[]' })
  t.is(status, 400)
  const subscriber = client.subscribe(key)
  const subscribed = new Promise((resolve) => subscriber.on('subscribe', resolve))
  const received = new Promise((resolve) => subscriber.on('message', resolve))
  t.is(await subscribed, 1)
  t.is(await client.publish(key, { generation: 7 }), 1)
  t.deepEqual((await received).message, { generation: 7 })
  await subscriber.unsubscribe()
})

test('streams end cleanly, by a reset, or fall silent, as asked', async (t) => {
  const bridge = await bridgeFor(t)
  const { upstash, key, command } = bridge
  const opened = async () => {
    const stream = await openStream(bridge, `/subscribe/${key}`)
    await stream.readUntil((text) => text.endsWith('\n\n'))
    return stream
  }
  const clean = await opened()
  upstash.faults.killStreams()
  t.true((await clean.chunk()).done, 'a clean end')

  const reset = await opened()
  upstash.faults.killStreams({ reset: true })
  await t.throwsAsync(reset.chunk(), { message: 'terminated' })

  const silent = await opened()
  upstash.faults.silenceStreams()
  await until(async () => (await command('publish', key, 'lost'))[1].result === 1)
  upstash.faults.silenceStreams(false)
  await command('publish', key, 'kept')
  const text = await silent.readUntil((all) => all.includes('kept'))
  t.false(text.includes('lost'), 'there is no replay')
  silent.close()
})

// --- T12: scripts

const FILL = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1`
const INVALIDATE = `local seen = tonumber(redis.call('GET', KEYS[1]) or '0')
local generation = string.format('%.0f', math.max(seen + 1, tonumber(ARGV[1])))
redis.call('SET', KEYS[1], generation)
redis.call('DEL', KEYS[2], KEYS[3])
return generation`

test('a script runs by text and by digest, an unknown digest is NOSCRIPT', async (t) => {
  const { key, client, command } = await bridgeFor(t)
  const digest = createHash('sha1').update(`return KEYS[1] .. '${key}'`).digest('hex')
  t.deepEqual(await command('evalsha', digest, 1, 'k'), [
    400,
    { error: 'NOSCRIPT No matching script. Please use EVAL.' },
  ])
  t.is(await client.scriptLoad(`return KEYS[1] .. '${key}'`), digest)
  t.is(await client.evalsha(digest, ['k'], []), `k${key}`)
  t.is(await client.eval('return ARGV[1]', [], ['argument']), 'argument')
  const [status, { error }] = await command('eval', `return redis.call('nosuch')`, 0)
  t.deepEqual(
    [status, error.startsWith('ERR Unknown Redis command called from script')],
    [400, true],
    error,
  )
})

test('a script with the key-locking shebang runs, under the digest of what was sent', async (t) => {
  const { key, command } = await bridgeFor(t)
  const script = `#!lua flags=allow-key-locking\nreturn redis.call('SET', KEYS[1], ARGV[1])`
  const digest = createHash('sha1').update(script).digest('hex')
  t.deepEqual(await command('eval', script, 1, key, 'x'), [200, { result: 'OK' }])
  t.deepEqual(await command('evalsha', digest, 1, key, 'y'), [200, { result: 'OK' }])
  t.deepEqual(await command('script', 'exists', digest), [200, { result: [1] }])
  t.deepEqual(await command('script', 'load', script), [200, { result: digest }])
  t.deepEqual(await command('get', key), [200, { result: 'y' }])
  const [status, { error }] = await command('eval', '#!lua flags=no-such-flag\nreturn 1', 0)
  t.deepEqual([status, /Unexpected flag/.test(error)], [400, true], 'other flags stay with Redis')
  t.deepEqual(await command('eval', '#!lua flags=allow-key-locking,no-writes\nreturn 1', 0), [
    200,
    { result: 1 },
  ])
})

// --- T13: a stranger

test('what a stranger deletes is gone for the bridge', async (t) => {
  const { key, client } = await bridgeFor(t)
  await client.set(key, 'x')
  const stranger = store.connect()
  await stranger.del(key)
  t.is(await client.get(key), null)
})

// --- T14–T16: the transport

test('a pooled connection that the server closes in the race fails once, and a new one serves', async (t) => {
  const { upstash } = await bridgeFor(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ping = () =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${upstash.token}` }
      const request = httpRequest(`${upstash.url}/ping`, { agent, headers }, (response) => {
        response.resume().once('end', () => resolve(request.reusedSocket))
      })
      request.once('error', reject).end()
    })
  t.false(await ping())
  t.true(await ping(), 'the connection is kept')
  for (const rst of [false, true]) {
    upstash.faults.set({ kind: 'closeIdle', rst, times: 1 })
    await t.throwsAsync(ping(), { code: 'ECONNRESET' })
    t.false(await ping(), 'a new connection is served')
    t.true(await ping())
  }
  agent.destroy()
  upstash.faults.set({ kind: 'closeIdle' })
  t.false(await ping(), 'a connection that has carried no answer yet is not idle')
})

test('a dripping body and a hanging server outlast a deadline, a delay within it does not', async (t) => {
  const { upstash, send, ask } = await bridgeFor(t)
  const pingWithin = async (ms) =>
    (await send('/', { body: '["ping"]', signal: AbortSignal.timeout(ms) })).text()
  for (const kind of ['drip', 'hang']) {
    upstash.faults.set({ kind })
    await t.throwsAsync(pingWithin(500), { any: true, name: 'TimeoutError' }, kind)
  }
  upstash.faults.set({ kind: 'delay', ms: 50 })
  t.is(await pingWithin(5000), '{"result":"PONG"}')
  upstash.faults.set({ kind: 'drip', ms: 1 })
  t.is(await pingWithin(5000), '{"result":"PONG"}', 'what drips is the real answer')
  upstash.faults.clear()
  t.deepEqual(await ask('/ping'), [200, { result: 'PONG' }])
})

test('a long answer is compressed only for clients that accept it', async (t) => {
  const { upstash, key, command } = await bridgeFor(t)
  await command('set', key, 'x'.repeat(20_000))
  const raw = (headers) =>
    new Promise((resolve, reject) => {
      const authorization = `Bearer ${upstash.token}`
      httpRequest(
        `${upstash.url}/get/${key}`,
        { headers: { authorization, ...headers } },
        async (response) => {
          const chunks = await response.toArray()
          resolve([response.headers['content-encoding'], Buffer.concat(chunks)])
        },
      )
        .once('error', reject)
        .end()
    })
  const [encoding, zipped] = await raw({ 'accept-encoding': 'gzip, deflate' })
  const [none, plain] = await raw({})
  t.deepEqual([encoding, none], ['gzip', undefined])
  t.true(zipped.length < 1000)
  t.deepEqual(gunzipSync(zipped), plain)
})

// --- T17: billing

test('commands are counted one by one, those inside scripts as well', async (t) => {
  const { upstash, key, client, ask } = await bridgeFor(t)
  const billed = async (work) => {
    upstash.resetCounters()
    await work()
    return [upstash.commands, upstash.requests]
  }
  const stranger = store.connect()
  t.deepEqual(await billed(() => client.get(key)), [1, 1])
  t.deepEqual(await billed(() => client.pipeline().get(key).get(key).get(key).exec()), [3, 1])
  t.deepEqual(await billed(() => client.multi().get(key).get(key).exec()), [2, 1])
  const invalidate = () => client.eval(INVALIDATE, [key, `${key}:a`, `${key}:b`], ['5'])
  const noise = Promise.all(Array.from({ length: 200 }, () => stranger.get(key)))
  t.deepEqual(await billed(invalidate), [4, 1], 'EVAL, GET, SET, DEL, whatever others do meanwhile')
  await noise
  const mixed = JSON.stringify([
    ['get', key],
    ['eval', `return redis.call('GET', KEYS[1])`, 1, key],
  ])
  t.deepEqual(await billed(() => ask('/multi-exec', { body: mixed })), [3, 1])
  t.deepEqual(await billed(() => ask('/nosuch')), [1, 1])
})

// --- The embedded store answers as redis-server does

test('the embedded store answers the cache’s commands and scripts as redis-server does', async (t) => {
  const embedded = await startRedis({ embedded: true })
  t.teardown(() => embedded.stop())
  const bridges = [await bridgeFor(t), await bridgeFor(t, { redis: embedded })]
  const sequence = (key) => [
    ['GET', key],
    ['SET', key, 'Grüße 🌳'],
    ['get', key],
    ['MGET', key, `${key}:none`, key],
    ['SET', key, 'other', 'NX'],
    ['SET', key, '', 'ex', 300],
    ['TTL', key],
    ['GET', key],
    ['EXISTS', key],
    ['SET', key, '5', 'EX', 0],
    ['SET', key, '5', 'EX', 'x'],
    ['EXPIRE', key, 60],
    ['TTL', key],
    ['TTL', `${key}:none`],
    ['DEL', key, `${key}:none`],
    ['DEL', key],
    ['EXPIRE', key, 60],
    ['GET'],
    ['NOSUCH', key],
    ['PUBLISH', key, 'm'],
    ['SET', key, 'text'],
    ['INCR', key],
    ['SET', key, 7],
    ['INCR', key],
    ['EVAL', INVALIDATE, 3, `${key}:g`, `${key}:a`, `${key}:b`, 1764000000123],
    ['EVAL', INVALIDATE, 3, `${key}:g`, `${key}:a`, `${key}:b`, 5],
    ['GET', `${key}:g`],
    ['EVAL', FILL, 2, `${key}:g`, `${key}:a`, '1764000000124', 'a prompt, “quoted”', 300],
    ['GET', `${key}:a`],
    ['TTL', `${key}:a`],
    ['EVAL', FILL, 2, `${key}:g`, `${key}:a`, '1', 'late', 300],
    ['GET', `${key}:a`],
    ['EVAL', FILL, 2, `${key}:missing`, `${key}:a`, '1', 'late', 300],
    ['EVAL', `return redis.call('SET', KEYS[1], ARGV[1], 'NX')`, 1, `${key}:a`, 'x'],
    ['EVAL', `return redis.call('SET', KEYS[1], ARGV[1], 'EX', 9, 'NX')`, 1, `${key}:n`, 'x'],
    ['TTL', `${key}:n`],
    [
      'EVAL',
      `redis.call('SET', KEYS[1], tonumber(ARGV[1]) + 1) return redis.call('GET', KEYS[1])`,
      1,
      key,
      '1764000000123',
    ],
    ['EVAL', `return redis.call('MGET', KEYS[1], KEYS[2])`, 2, key, `${key}:a`],
    [
      'EVAL',
      `local r = redis.pcall('NOSUCH') if type(r) == 'table' and r.err then return 'refused' end`,
      0,
    ],
    ['EVAL', `return redis.error_reply('ERR mine')`, 0],
    ['EVAL', `return redis.status_reply('OK')`, 0],
    ['EVAL', 'return nil', 0],
    ['EVAL', 'return false', 0],
    ['EVAL', 'return true', 0],
    ['EVAL', 'return 3.9', 0],
    ['EVAL', `#!lua flags=allow-key-locking\nreturn redis.call('DEL', KEYS[1])`, 1, `${key}:a`],
    ['SCRIPT', 'LOAD', `return '${key}'`],
    ['EVALSHA', 'f'.repeat(40), 0],
    ['EVALSHA', createHash('sha1').update(`return '${key}'`).digest('hex'), 0],
  ]
  const commands = sequence('differential')
  for (const words of commands) {
    const [real, other] = await Promise.all(bridges.map(({ command }) => command(...words)))
    if (words[0] === 'TTL' && real[1].result > 0) isNear(t, other[1].result, real[1].result + 1)
    else t.deepEqual(other, real, JSON.stringify(words))
  }
  const batch = JSON.stringify([
    ['set', 'd', 'x'],
    ['incr', 'd'],
    ['get', 'd'],
  ])
  const bad = JSON.stringify([['get', 'd'], ['nosuch']])
  for (const body of [batch, bad]) {
    for (const path of ['/pipeline', '/multi-exec']) {
      const [real, other] = await Promise.all(bridges.map(({ ask }) => ask(path, { body })))
      t.deepEqual(other, real, `${path} ${body}`)
    }
  }
  const [real, other] = bridges.map(({ upstash }) => upstash.commands)
  t.is(other, real + 1, 'billed alike, but for the unknown command that a script tried')
})

test('the embedded store keeps bytes and reaches subscribers', async (t) => {
  const embedded = await startRedis({ embedded: true })
  t.teardown(() => embedded.stop())
  const bridge = await bridgeFor(t, { redis: embedded })
  const { key, ask, command } = bridge
  const binary = Buffer.from([0, 255, 10, 128])
  await ask(`/set/${key}`, { body: binary })
  const [, { result }] = await ask(`/get/${key}`, { headers: { 'upstash-encoding': 'base64' } })
  t.is(result, binary.toString('base64'))
  const stream = await openStream(bridge, `/subscribe/${key}`)
  await stream.readUntil((text) => text.endsWith('\n\n'))
  t.deepEqual(await command('publish', key, 'ü'), [200, { result: 1 }])
  t.is(
    await stream.readUntil((text) => text.includes('message')),
    `data: subscribe,${key},1\n\ndata: message,${key},ü\n\n`,
  )
  stream.close()
  await until(async () => (await command('publish', key, 'm'))[1].result === 0)
})
