// The local bridge against the facts of Upstash's REST protocol, over a real redis-server. Base64 and RESP2 (T2).
import test from 'ava'

import { bridgeFor, withRedis } from '../support/bridge.mjs'

withRedis(test)

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
