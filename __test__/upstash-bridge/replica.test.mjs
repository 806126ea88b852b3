// The local bridge against the facts of Upstash's REST protocol, over a redis-server with a lagging replica. Reads that are old, and sync tokens that make them new (T8).
import test from 'ava'

import { startRedis } from '../../dev/redis.mjs'
import { startReplica } from '../../dev/replica.mjs'
import { startStore } from '../../dev/stack.mjs'
import { notAvailable } from '../../dev/upstash/errors.mjs'
import { openStream } from '../support/bridge.mjs'
import { storeWith } from '../support/replicated-store.mjs'

const LONG_MS = 60_000
const KEY = 'prompt'
const GET = ['GET', KEY]
const SET_NEW = ['SET', KEY, 'new']

test.serial('a read without a token on a lagging replica is answered old', async (t) => {
  const { command, replica } = await storeWith(t, { lagMs: LONG_MS })
  const { sync } = await command(SET_NEW)
  t.is((await command(GET)).reply, null)
  replica.setLag(0)
  t.is((await command(GET, sync)).reply, 'new')
})

test.serial(
  'a read with the token of the write waits out the lag and is answered new',
  async (t) => {
    const { command } = await storeWith(t, { lagMs: 300 })
    const begun = performance.now()
    const { sync } = await command(SET_NEW)
    t.is((await command(GET, sync)).reply, 'new')
    t.true(performance.now() - begun >= 300)
  },
)

test.serial(
  'reads run on the replica; writes, scripts, transactions and mixtures do not',
  async (t) => {
    const { ask, replica } = await storeWith(t, {})
    replica.hold()
    await ask('/', SET_NEW)
    const script = `return redis.call('GET', KEYS[1])`
    const cases = [
      ['/', ['MGET', KEY], [[null]]],
      ['/', ['EXISTS', KEY], [0]],
      ['/', ['TTL', KEY], [-2]],
      ['/', ['STRLEN', KEY], [0]],
      ['/pipeline', [GET, ['PTTL', KEY]], [null, -2]],
      ['/pipeline', [GET, ['BLPOP', KEY, 0]], [null, notAvailable('blpop')]],
      ['/pipeline', [GET, ['SET', 'other', 'x']], ['new', 'OK']],
      ['/multi-exec', [GET], ['new']],
      ['/', ['EVAL', script, 1, KEY], ['new']],
      ['/', ['EVAL_RO', script, 1, KEY], ['new']],
      ['/', ['SET', KEY, 'newer', 'GET'], ['new']],
    ]
    for (const [path, body, replies] of cases)
      t.deepEqual((await ask(path, body)).replies, replies, JSON.stringify(body))
  },
)

test.serial('every kind of write answers a token that makes a read wait for it', async (t) => {
  const { ask, command, replica, waits } = await storeWith(t, {})
  const script = `return redis.call('SET', KEYS[1], ARGV[1])`
  const writes = [
    (value) => ['/', ['SET', KEY, value]],
    (value) => ['/', ['EVAL', script, 1, KEY, value]],
    (value) => ['/pipeline', [GET, ['SET', KEY, value]]],
    (value) => ['/multi-exec', [['SET', KEY, value], GET]],
  ]
  for (const [index, write] of writes.entries()) {
    replica.hold()
    const { sync } = await ask(...write(`value ${index}`))
    const reading = ['/', '/pipeline'].map((path) => ask(path, path === '/' ? GET : [GET], sync))
    await waits(2)
    t.not((await command(GET)).reply, `value ${index}`, 'a read without a token does not wait')
    replica.release()
    for (const { reply, sync: reached } of await Promise.all(reading)) {
      t.is(reply, `value ${index}`)
      t.true(reached >= sync)
    }
  }
  await waits(0)
})

test.serial('a token of a replica’s answer promises no more than that answer', async (t) => {
  const { command, replica } = await storeWith(t, {})
  const first = await command(['SET', KEY, 'old'])
  t.is((await command(GET, first.sync)).reply, 'old')
  replica.hold()
  const write = await command(SET_NEW)
  const old = await command(GET, first.sync)
  t.is(old.reply, 'old')
  t.true(old.sync >= first.sync && old.sync < write.sync, `${old.sync}, ${write.sync}`)
  t.is((await command(GET, old.sync)).reply, 'old', 'and is answered without waiting')
  replica.release()
  t.is((await command(GET, write.sync)).reply, 'new')
})

test.serial('empty, malformed and unknown tokens ask for nothing', async (t) => {
  const { command, replica } = await storeWith(t, {})
  replica.hold()
  const { sync } = await command(SET_NEW)
  const [life] = sync.split('.')
  const tokens = ['', 'x', '.', life, `${life}.`, `${life}.xyz`, `${sync}.0`, ` ${sync}0`]
  const unknown = [`${life}.ffffffffffff`, `00000000.${sync.split('.')[1]}`]
  for (const token of [...tokens, ...unknown])
    t.is((await command(GET, token)).reply, null, `“${token}”`)
})

test.serial('the official client reads its writes with readYourWrites, else old', async (t) => {
  const { client, replica, waits } = await storeWith(t, {})
  const [writer, stranger, told] = [{}, { readYourWrites: false }, {}].map(client)
  replica.hold()
  await writer.set(KEY, 'new')
  told.readYourWritesSyncToken = writer.readYourWritesSyncToken
  const reading = [writer.get(KEY), told.get(KEY)]
  await waits(2)
  t.is(await stranger.get(KEY), null)
  t.is(await client({}).get(KEY), null, 'its first request has an empty token')
  replica.release()
  t.deepEqual(await Promise.all(reading), ['new', 'new'])
})

test.serial('a client that goes away ends its read; a stop ends those that wait', async (t) => {
  const { upstash, ask, command, replica, waits, stop } = await storeWith(t, {})
  replica.hold()
  const { sync } = await command(SET_NEW)
  const leaving = new AbortController()
  const left = ask('/', GET, sync, { signal: leaving.signal })
  await waits(1)
  leaving.abort()
  await t.throwsAsync(left, { any: true, name: 'AbortError' })
  await waits(0)
  t.is(upstash.commands, 1, 'what nobody waits for does not run')
  const stopped = ask('/', GET, sync)
  await waits(1)
  await Promise.all([stop(), t.throwsAsync(stopped, { message: 'fetch failed' })])
})

test.serial('held or lagging writes arrive in their order once let go', async (t) => {
  const { command, replica } = await storeWith(t, { lagMs: LONG_MS })
  const letGo = [() => replica.setLag(0), () => replica.release()]
  for (const [round, go] of letGo.entries()) {
    const list = `list ${round}`
    let last
    for (let item = 1; item <= 20; item += 1) last = await command(['RPUSH', list, item])
    t.deepEqual((await command(['LRANGE', list, 0, -1])).reply, [])
    go()
    const { reply } = await command(['LRANGE', list, 0, -1], last.sync)
    t.deepEqual(
      reply.map(Number),
      [...Array(20).keys()].map((index) => index + 1),
    )
    replica.hold()
  }
  for (const ms of [-1, Infinity, NaN])
    t.throws(() => replica.setLag(ms), { instanceOf: RangeError })
})

test.serial(
  'a subscription on a lagging replica gets messages at once, and the token of now',
  async (t) => {
    const store = await storeWith(t, {})
    const { command, replica, waits } = store
    replica.hold()
    await store.store.connect().set(KEY, 'new')
    const stream = await openStream(store, `/subscribe/${KEY}`)
    t.deepEqual((await command(['PUBLISH', KEY, 'message'])).reply, 1)
    await stream.readUntil((text) => text.includes(`message,${KEY},message`))
    const reading = command(GET, stream.response.headers.get('upstash-sync-token'))
    await waits(1)
    replica.release()
    t.is((await reading).reply, 'new')
    stream.close()
  },
)

test.serial('a replica that is started late has what the primary had before', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await redis.connect().set(KEY, 'old')
  const replica = await startReplica({ redis, lagMs: LONG_MS })
  t.teardown(() => replica.stop())
  t.is(await replica.connect().get(KEY), 'old')
})

test.serial('a store without a replica answers every read new', async (t) => {
  const { upstash, replica, command } = await storeWith(t)
  t.is(replica, undefined)
  const { sync } = await command(SET_NEW)
  t.deepEqual(await command(GET), { replies: ['new'], reply: 'new', sync })
  t.is(upstash.waitingReads, 0)
  await t.throwsAsync(startStore({ embedded: true, replica: {} }), { message: /redis-server/ })
})
