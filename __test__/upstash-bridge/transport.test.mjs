// The local bridge against the facts of Upstash's REST protocol, over a real redis-server. Faults in front, sockets, compression (T6, T7, T14 to T16).
import { Agent, request as httpRequest } from 'node:http'
import { gunzipSync } from 'node:zlib'
import test from 'ava'

import { QUOTA_BODY } from '../../dev/upstash/errors.mjs'
import { bridgeFor, withRedis } from '../support/bridge.mjs'

withRedis(test)

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
