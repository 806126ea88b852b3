// What `doctor` says of what is stored and listed: the first cause alone, and how to mend it. One test at a time.
import test from 'ava'
import { promptCache } from '../../dev/prompt-cache.mjs'
import { runCommand, wrongBy } from '../support/command-line.mjs'
import { bridge, bridgeWithRights, filled, isAll } from '../support/doctor.mjs'
import { optionsOn, withStore } from '../support/store.mjs'

const store = withStore(test)
const SIGNING_KEY = 'canary-of-a-signing-key-0123456789'
const INVALIDATE = '`grove-shared-cache invalidate` drops it'
for (const [situation, spoil, message] of [
  [
    'a value of somebody else in :active',
    (redis, key) => redis.set(key('active'), 'canary', 'EX', 300),
    /:active does not have the hash/,
  ],
  [
    'a list at :active',
    (redis, key) => redis.multi().del(key('active')).lpush(key('active'), 'x').exec(),
    /:active is no string/,
  ],
  [
    'a list at :generation',
    (redis, key) => redis.multi().del(key('generation')).lpush(key('generation'), 'x').exec(),
    /:generation is no string/,
  ],
  [
    'a generation that is no number',
    (redis, key) => redis.set(key('generation'), 'canary'),
    /:generation is no number/,
  ],
  [
    'a generation that is another',
    (redis, key) => redis.incr(key('generation')),
    /:config is of generation \d+, .* is \d+/,
  ],
  [
    'a prompt that does not expire',
    (redis, key) => redis.persist(key('active')),
    /:active has no expiry/,
  ],
  [
    'a value of somebody else in :config',
    (redis, key) => redis.set(key('config'), 'canary', 'EX', 300),
    /:config was not written/,
  ],
  [
    'a value of somebody else in :version',
    (redis, key) => redis.set(key('version'), 'canary', 'EX', 300),
    /:version is not the version/,
  ],
  ['a part that was deleted', (redis, key) => redis.del(key('config')), /:config is gone/],
  [
    'a prompt that somebody stored alone',
    (redis, key) =>
      redis.multi().del(key('config'), key('version')).set(key('active'), 'canary').exec(),
    /:active has no expiry and is there alone/,
  ],
]) {
  test.serial(`${situation} is named, and one invalidation mends it`, async (t) => {
    const { prefix, redis, words } = await filled(t, store)
    await spoil(redis, (name) => `${prefix}:system-prompt:${name}`)
    const wrong = await wrongBy(t, store.environment, words)
    isAll(t, wrong, 'fail', 'keys', message)
    t.true(wrong[0].message.includes(INVALIDATE))
    t.false(wrong[0].message.includes('canary'))
    const cache = promptCache(optionsOn(store, { keyPrefix: prefix }))
    await cache.invalidateSystemPrompt()
    await cache.close()
    t.deepEqual(await wrongBy(t, store.environment, words), [])
  })
}

test.serial(
  'what expires later than it should, and a generation that expires though it should not',
  async (t) => {
    const { prefix, redis, words } = await filled(t, store, { ttlSeconds: 3600 })
    const later = /later than 300 s: give --ttl-seconds/
    isAll(t, await wrongBy(t, store.environment, words), 'warn', 'keys', later)
    const told = [...words, '--ttl-seconds', '3600']
    t.deepEqual(await wrongBy(t, store.environment, told), [])
    await redis.expire(`${prefix}:system-prompt:generation`, 1000)
    const expiring = await wrongBy(t, store.environment, told)
    isAll(t, expiring, 'warn', 'keys', /:generation has an expiry/)
  },
)

const BEGINS = '`grove-shared-cache invalidate` begins a new one'
for (const [situation, spoil, message] of [
  [
    'a list at :sequence',
    (redis, key) => redis.multi().del(key('sequence')).lpush(key('sequence'), 'x').exec(),
    /:sequence is no string/,
  ],
  [
    'a sequence that is no number',
    (redis, key) => redis.set(key('sequence'), 'canary'),
    /:sequence is no whole number/,
  ],
  [
    'a sequence of which JavaScript has no exact number',
    (redis, key) => redis.set(key('sequence'), '9007199254740993'),
    /:sequence is no whole number/,
  ],
  [
    'a list at :log',
    (redis, key) => redis.multi().del(key('log')).lpush(key('log'), 'x').exec(),
    /:log is no stream/,
  ],
]) {
  test.serial(`${situation} is named, and one invalidation mends it`, async (t) => {
    const { prefix, redis, words } = await filled(t, store)
    await spoil(redis, (name) => `${prefix}:${name}`)
    const wrong = await wrongBy(t, store.environment, words)
    isAll(t, wrong, 'fail', 'log', message)
    t.true(wrong[0].message.includes(BEGINS))
    t.false(wrong[0].message.includes('canary'))
    const cache = promptCache(optionsOn(store, { keyPrefix: prefix }))
    await cache.invalidateSystemPrompt()
    await cache.close()
    t.deepEqual(await wrongBy(t, store.environment, words), [])
  })
}

test.serial('the sequence is gone, expires, or is of a clock that was ahead', async (t) => {
  const { prefix, redis, words } = await filled(t, store)
  const key = `${prefix}:sequence`
  const sequence = await redis.get(key)
  await redis.del(key)
  const gone = await wrongBy(t, store.environment, words)
  isAll(t, gone, 'fail', 'log', /:sequence is gone .*switch eviction off/)
  await redis.set(key, sequence, 'EX', 1000)
  const expiring = await wrongBy(t, store.environment, words)
  isAll(t, expiring, 'warn', 'log', /:sequence has an expiry/)
  await redis.set(key, (Date.now() + 600_000) * 1000)
  const ahead = await wrongBy(t, store.environment, words)
  isAll(t, ahead, 'warn', 'log', /:sequence is (59\d|600) s ahead/)
})

test.serial('somebody else writes to the log', async (t) => {
  const { prefix, redis, words } = await filled(t, store)
  await redis.xadd(`${prefix}:log`, '*', 'canary', 'canary')
  const foreign = await wrongBy(t, store.environment, words)
  isAll(t, foreign, 'fail', 'log', /:log ends with what is no invalidation/)
})

test.serial('what is stored is not signed although it should be', async (t) => {
  const { words } = await filled(t, store)
  const environment = { ...store.environment, SYSTEM_PROMPT_SIGNING_KEY: SIGNING_KEY }
  isAll(t, await wrongBy(t, environment, words), 'warn', 'keys', /is not signed/)
  const signed = await filled(t, store, { signingKey: SIGNING_KEY })
  t.deepEqual(await wrongBy(t, environment, signed.words), [])
})

test.serial('somebody else uses the list of instances', async (t) => {
  const { prefix, redis, words } = await filled(t, store)
  const key = `${prefix}:members`
  const found = () => wrongBy(t, store.environment, words)
  await redis.set(key, 'canary')
  isAll(t, await found(), 'fail', 'fleet', /:members is no hash/)
  for (const [id, text] of [
    ['of somebody else', JSON.stringify({ leaseMs: 1000, at: Date.now() })],
    ['0123456789abcdef', 'canary'],
    ['0123456789abcdef', '-1 canary'],
  ]) {
    await redis.del(key)
    await redis.hset(key, id, text)
    isAll(t, await found(), 'fail', 'fleet', /:members holds what is no instance/)
  }
})

test.serial('instances that read lately, that are silent, and that were expelled', async (t) => {
  const { environment } = await bridge(t, store)
  const { prefix, redis, words } = await filled(t, store)
  const key = `${prefix}:members`
  const member = (agoMs) => JSON.stringify({ applied: 1, leaseMs: 1000, at: Date.now() - agoMs })
  const fleet = async () => {
    const { stdout } = await runCommand(['doctor', ...words], environment)
    return /^ok {3}fleet +(.+)$/m.exec(stdout)?.[1]
  }
  t.regex(await fleet(), /^nobody has read under \S+ in the last five minutes \(if/)
  await redis.hset(key, 'a1', member(600_000), 'a2', `-7 ${member(0)}`)
  t.regex(await fleet(), /^nobody .*, 2 more read before, or ended without close\(\) \(if/)
  await redis.hset(key, 'a3', member(1000))
  t.regex(await fleet(), /^1 instance has read in the last five minutes, 2 more/)
  await redis.hdel(key, 'a1', 'a2')
  t.is(await fleet(), '1 instance has read in the last five minutes')
})

test.serial('the token may not list instances', async (t) => {
  for (const right of ['-hset', '-hget', '-hmget', '-hgetall', '-hdel']) {
    const { environment } = await bridgeWithRights(t, store, '~*', '&*', '+@all', right)
    const wrong = await wrongBy(t, environment)
    isAll(t, wrong, 'fail', 'fleet', /^the token may not list instances .*docs\/SECURITY\.md/)
  }
  await leavesNothing(t)
})

test.serial('the token may not count and log invalidations', async (t) => {
  for (const right of ['-incr', '-incrby', '-xadd', '-xrevrange']) {
    const { environment } = await bridgeWithRights(t, store, '~*', '&*', '+@all', right)
    const wrong = await wrongBy(t, environment)
    isAll(t, wrong, 'fail', 'log', /^the token may not count and log .*docs\/SECURITY\.md/)
  }
  await leavesNothing(t)
})

async function leavesNothing(t) {
  const redis = store.store.connect()
  t.teardown(() => redis.disconnect())
  t.deepEqual(await redis.keys('*:doctor:*'), [])
}
