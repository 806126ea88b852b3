// Webhooks, in each form in which servers have a request: real Express, real node:http, and Fetch.
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import express from 'express'
import test from 'ava'
import { serve } from '../dev/loopback.mjs'
import { BEARER, bodyOf, guide, handlerFor, runSnippet, signed } from './support/webhooks.mjs'

const BODY = bodyOf({ record: { hub_id: 'ü€🌳' }, old_record: null })
const TAKEN = { invalidated: { entries: 1, resources: 0, tags: 1 } }
const TARGETS = { entries: { rag: ['ü€🌳'] }, resources: [], tags: ['table:public.documents'] }
const MIB = 1024 * 1024
const JSON_TYPE = { 'content-type': 'application/json' }
const TOO_LARGE = [413, { error: 'the body is over 1 MiB' }]

async function served(t, listener) {
  const server = await serve(listener)
  t.teardown(() => server.stop())
  return async (headers, body = BODY, more = {}) => {
    const answer = await fetch(server.url, { method: 'POST', headers, body, ...more })
    return [answer.status, await answer.json()]
  }
}

/** An Express application with these parsers in front of its route. */
function expressWith(handle, ...parsers) {
  const app = express()
  app.post('/', ...parsers, async (request, response) => {
    const { status, body } = await handle(request)
    response.status(status).json(body)
  })
  return app
}

/** A server without a framework, which does not reply at once. */
const bare = (handle) => async (request, response) => {
  const { status, body } = await handle(request)
  await new Promise(setImmediate)
  response.writeHead(status, JSON_TYPE).end(JSON.stringify(body))
}

const keepsRawBody = express.json({
  verify: (request, response, bytes) => {
    request.rawBody = bytes
  },
})
const SERVERS = [
  ['a server without a framework', bare],
  ['Express without a parser', (handle) => expressWith(handle)],
  ['Express with raw()', (handle) => expressWith(handle, express.raw({ type: () => true }))],
  ['Express with text()', (handle) => expressWith(handle, express.text({ type: () => true }))],
  ['Express with json() that keeps rawBody', (handle) => expressWith(handle, keepsRawBody)],
  ['Express with a raw() for another type', (handle) => expressWith(handle, express.raw())],
]
for (const [situation, listener] of SERVERS) {
  test(`${situation} takes the secret and a signature`, async (t) => {
    const { handle, calls } = handlerFor(t)
    const post = await served(t, listener(handle))
    t.deepEqual(await post({ ...JSON_TYPE, ...BEARER }), [200, TAKEN])
    t.deepEqual(await post({ ...JSON_TYPE, ...signed(BODY) }), [200, TAKEN])
    t.deepEqual(calls, [TARGETS, TARGETS])
    const forged = { ...JSON_TYPE, ...signed('other') }
    t.deepEqual(await post(forged), [401, { error: 'not verified' }])
  })
}

test('Express with json() takes the secret, and says why it takes no signature', async (t) => {
  const { handle, calls } = handlerFor(t)
  const post = await served(t, expressWith(handle, express.json()))
  t.deepEqual(await post({ ...JSON_TYPE, ...BEARER }), [200, TAKEN])
  t.deepEqual(calls, [TARGETS])
  const error = 'a signature is of bytes, and the body was parsed before'
  t.deepEqual(await post({ ...JSON_TYPE, ...signed(BODY) }), [401, { error }])
  t.is(calls.length, 1)
})

test('the route of docs/WEBHOOKS.md takes a signature, and leaves other routes their parser', async (t) => {
  const { handle, calls } = handlerFor(t)
  class SharedCache {
    resource = () => ({})
    handleSupabaseWebhook = handle
  }
  const [snippet] = guide('js', 'Set up')
  const app = runSnippet(snippet, { express, SharedCache, supabaseResource: () => ({}) }, 'app')
  app.post('/other', (incoming, response) => response.json(incoming.body))
  const server = await serve(app)
  t.teardown(() => server.stop())
  const post = async (path, headers) => {
    const init = { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body: BODY }
    return (await fetch(server.url + path, init)).json()
  }
  t.deepEqual(await post('/webhooks/supabase', signed(BODY)), TAKEN)
  t.deepEqual(await post('/webhooks/supabase', BEARER), TAKEN)
  t.deepEqual(await post('/other'), JSON.parse(BODY))
  t.is(calls.length, 2)
})

const request = (headers, body = BODY, more = {}) =>
  new Request('http://server/', { method: 'POST', headers, body, ...more })

test('a Request of Fetch takes the secret and a signature', async (t) => {
  const { handle, calls } = handlerFor(t)
  t.deepEqual(await handle(request(BEARER)), { status: 200, body: TAKEN })
  t.deepEqual(await handle(request(signed(BODY))), { status: 200, body: TAKEN })
  t.deepEqual(calls, [TARGETS, TARGETS])
})

test('headers and a body are enough', async (t) => {
  const { handle } = handlerFor(t)
  for (const body of [BODY, Buffer.from(BODY), new TextEncoder().encode(BODY)])
    t.like(await handle({ headers: signed(BODY), body }), { status: 200, body: TAKEN })
  t.like(await handle({ headers: BEARER, body: JSON.parse(BODY) }), { status: 200 })
  t.like(await handle({ headers: BEARER, body: {}, rawBody: BODY }), { status: 200 })
  t.like(await handle({ headers: BEARER }), { status: 400 })
})

test('a body that was read before is missed', async (t) => {
  const { handle, calls } = handlerFor(t)
  const missed = { error: 'there is no body, or it was read before' }
  const read = request(BEARER)
  await read.text()
  t.deepEqual(await handle(read), { status: 400, body: missed })
  const locked = request(BEARER)
  const reader = locked.body.getReader()
  t.deepEqual(await handle(locked), { status: 400, body: missed })
  await reader.read()
  reader.releaseLock()
  t.deepEqual(await handle(locked), { status: 400, body: missed })
  const post = await served(t, async (incoming, response) => {
    for await (const _ of incoming);
    return bare(handle)(incoming, response)
  })
  t.deepEqual(await post(BEARER), [400, missed])
  t.deepEqual(await handle(request(BEARER, null)), { status: 400, body: missed })
  t.deepEqual(calls, [])
})

/** A body of so many bytes. */
function bodyWith(bytes) {
  const short = bodyOf({ record: { hub_id: 'a', text: '' } })
  return bodyOf({ record: { hub_id: 'a', text: 'x'.repeat(bytes - short.length) } })
}

test('a body of 1 MiB is taken, and one byte more is not', async (t) => {
  const { handle, calls } = handlerFor(t)
  const post = await served(t, bare(handle))
  const pieces = (body) => new Blob([body]).stream()
  for (const [bytes, status] of [
    [MIB, 200],
    [MIB + 1, 413],
  ]) {
    const body = bodyWith(bytes)
    t.is(Buffer.byteLength(body), bytes)
    for (const headers of [BEARER, signed(body)]) {
      t.is((await post(headers, body))[0], status, 'its length announced')
      t.is((await post(headers, pieces(body), { duplex: 'half' }))[0], status, 'in chunks')
      t.is((await handle(request(headers, pieces(body), { duplex: 'half' }))).status, status)
      t.is((await handle({ headers, body })).status, status)
    }
  }
  t.is(calls.length, 8)
})

/** A request whose body is written by hand. */
async function opened(t, listener, headers) {
  const server = await serve(listener)
  t.teardown(() => server.stop())
  const outgoing = httpRequest(server.url, { method: 'POST', headers })
  outgoing.on('error', () => {})
  t.teardown(() => outgoing.destroy())
  return outgoing
}

test('who sends too much is told while he is still sending', async (t) => {
  const { handle } = handlerFor(t)
  const outgoing = await opened(t, bare(handle), BEARER)
  outgoing.write(Buffer.alloc(MIB + 1))
  const [answer] = await once(outgoing, 'response')
  let text = ''
  for await (const chunk of answer) text += chunk
  t.deepEqual([answer.statusCode, JSON.parse(text)], TOO_LARGE)
})

test('who announces too much is told before he has sent it', async (t) => {
  const { handle } = handlerFor(t)
  const headers = { ...BEARER, 'content-length': MIB + 1 }
  const outgoing = await opened(t, bare(handle), headers)
  outgoing.flushHeaders()
  const [answer] = await once(outgoing, 'response')
  t.is(answer.statusCode, 413)
})

test('who shows no secret is told before he has sent a body', async (t) => {
  const { handle } = handlerFor(t)
  const outgoing = await opened(t, bare(handle), { 'content-length': MIB })
  outgoing.flushHeaders()
  const [answer] = await once(outgoing, 'response')
  t.is(answer.statusCode, 401)
})

test('a body that is cut off is malformed', async (t) => {
  const { handle, calls } = handlerFor(t)
  let handled
  const begun = new Promise((resolve) => {
    handled = resolve
  })
  const outgoing = await opened(
    t,
    (incoming) => handled(handle(incoming).then((reply) => ({ reply }))),
    BEARER,
  )
  outgoing.write(BODY.slice(0, 10), () => setImmediate(() => outgoing.destroy()))
  const { reply } = await begun
  t.deepEqual(reply, { status: 400, body: { error: 'the body was cut off' } })
  t.deepEqual(calls, [])
})
