// The local bridge against the facts of Upstash's REST protocol, over a real redis-server. The embedded store answers as redis-server does.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import test from 'ava'

import { startRedis } from '../../dev/redis.mjs'
import { INVALIDATE, bridgeFor, isNear, openStream, withRedis } from '../support/bridge.mjs'
import { until } from '../../dev/until.mjs'

withRedis(test)

const FILL = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1`
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

// The scripts as the cache sends them.
const scriptOf = (...names) =>
  names
    .map((name) =>
      readFileSync(new URL(`../../src/store/scripts/${name}.lua`, import.meta.url), 'utf8'),
    )
    .join('')

test('each script of the cache does the same in the embedded store as in redis-server, and is billed alike', async (t) => {
  const embedded = await startRedis({ embedded: true })
  t.teardown(() => embedded.stop())
  const bridges = [await bridgeFor(t), await bridgeFor(t, { redis: embedded })]
  const [seed, fill, log, settle] = ['seed', 'fill', 'log', 'settle'].map((name) => scriptOf(name))
  const [invalidate, expel] = ['invalidate', 'expel'].map((name) => scriptOf('advance', name))
  const [sequence, records, members] = ['s:sequence', 's:log', 's:members']
  const heads = [sequence, records, members]
  const value = ['s:r:a:value', 's:r:a:version', 's:r:a:config', 's:r:a:generation']
  const invalidation = (notes, claimMs = 0) => [
    'EVAL',
    invalidate,
    7,
    ...heads,
    value[3],
    value[0],
    value[1],
    's:r:a:loader',
    '100',
    'r:a',
    notes,
    claimMs,
    1,
    300,
  ]
  const filling = (generation) => [
    'EVAL',
    fill,
    5,
    sequence,
    ...value,
    1,
    'Grüße',
    '1',
    '{}',
    300,
    generation,
    0,
  ]
  const situations = [
    ['EVAL', seed, 1, sequence, '0'],
    ['EVAL', seed, 1, sequence, '10'],
    ['EVAL', seed, 1, sequence, '20'],
    filling('10'),
    filling('9'),
    ['MGET', ...value, sequence, 's:none', members],
    invalidation(''),
    ['HSET', members, 'a', 'line'],
    ['HGETALL', members],
    invalidation('ack', 60_000),
    ['GET', 's:r:a:loader'],
    ['EVAL', settle, 1, members, '13'],
    ['EVAL', settle, 1, members, '12'],
    invalidation('ack'),
    ['EVAL', expel, 3, ...heads, '100', 'a', 'other'],
    ['EVAL', expel, 3, ...heads, '100', 'a', 'line'],
    ['HMGET', members, 'a', 'b', '~'],
    ['EVAL', expel, 3, ...heads, '100', 'a', '-14 line'],
    ['EVAL', log, 1, records, '10'],
    ['EVAL', log, 1, records, '2'],
    ['XLEN', records],
    ['HDEL', members, '~'],
    ['EXISTS', members],
    // What is of another kind, or no number.
    ['EVAL', log, 1, sequence, '10'],
    ['EVAL', log, 1, 's:none', '10'],
    ['SET', records, 'text'],
    ['SET', members, 'text'],
    ['EVAL', settle, 1, members, '12'],
    ['EVAL', expel, 3, ...heads, '100', 'a', 'line'],
    invalidation('ack'),
    ['HSET', value[0], 'a', 'b'],
    ['GET', value[0]],
    ['MGET', value[0], sequence],
    ['HSET', sequence, 'a', 'b'],
    ['INCRBY', sequence, 0],
    ...['DEL', 'canary', '', '05', '9007199254740991'].flatMap((odd) => [
      ['EVAL', seed, 1, sequence, '10'],
      odd === 'DEL' ? ['DEL', sequence] : ['SET', sequence, odd],
      ['INCRBY', sequence, 0],
      odd === 'DEL' ? ['DEL', sequence] : ['SET', sequence, odd],
      filling('10'),
      invalidation(''),
      ['GET', sequence],
    ]),
    ['EVAL', log, 1, records, '3'],
  ]
  for (const [place, words] of situations.entries()) {
    const [real, other] = await Promise.all(bridges.map(({ command }) => command(...words)))
    const name = words[0] === 'EVAL' ? words.slice(2) : words
    t.deepEqual(other, real, `${place}: ${JSON.stringify(name)}`)
    const billed = bridges.map(({ upstash }) => upstash.commands)
    t.is(billed[1], billed[0], `billed up to ${place}: ${JSON.stringify(name)}`)
  }
})

test('the embedded store trims a log as redis-server does, or sooner', async (t) => {
  const embedded = await startRedis({ embedded: true })
  t.teardown(() => embedded.stop())
  const { command } = await bridgeFor(t, { redis: embedded })
  for (let count = 0; count < 12; count += 1)
    await command('XADD', 'l', 'MAXLEN', '~', 10, '*', 'n', count)
  t.deepEqual(await command('XLEN', 'l'), [200, { result: 10 }])
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
