// The local bridge against the facts of Upstash's REST protocol, over a real redis-server. Shapes of requests, pipelines, transactions, refusals (T1, T3 to T5).
import test from 'ava'

import { bridgeFor, isNear, withRedis } from '../support/bridge.mjs'

withRedis(test)

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
