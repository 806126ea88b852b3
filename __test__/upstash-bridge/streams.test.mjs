// The local bridge against the facts of Upstash's REST protocol, over a real redis-server. Sync tokens and subscriptions (T8 to T11).
import test from 'ava'

import { bridgeFor, openStream, withRedis } from '../support/bridge.mjs'
import { until } from '../../dev/until.mjs'

withRedis(test)

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
  t.deepEqual(tokens.toSorted(), tokens)
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
