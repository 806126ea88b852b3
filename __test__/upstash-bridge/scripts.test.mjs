// The local bridge against the facts of Upstash's REST protocol, over a real redis-server. Scripts, strangers, billing (T12, T13, T17).
import { createHash } from 'node:crypto'
import test from 'ava'

import { INVALIDATE, bridgeFor, withRedis } from '../support/bridge.mjs'

withRedis(test)

// --- T12: scripts

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
  const { key, client, store } = await bridgeFor(t)
  await client.set(key, 'x')
  const stranger = store.connect()
  await stranger.del(key)
  t.is(await client.get(key), null)
})

// --- T17: billing

test('commands are counted one by one, those inside scripts as well', async (t) => {
  const { upstash, key, client, ask, store } = await bridgeFor(t)
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
