// What resources may cost: entries and bytes in memory, commands of Redis, reads of the source. Over the real store.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { SharedCache } from 'grove-shared-cache'

import { membersOf } from '../../dev/check/types.mjs'
import { until } from '../../dev/until.mjs'
import { ASKING, held, LEASED, sharedFleet, sourceOf, stored } from '../support/resources.mjs'
import { quiet } from '../support/stack.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)
let redis
test.serial.before(() => {
  redis = store.store.connect()
})

const types = readFileSync(new URL('../../index.d.ts', import.meta.url), 'utf8')
const QUIET = { push: false }
const numbers = (count) => Array.from({ length: count }, (_, number) => `${number}`)

for (const [option, wrong] of [
  ['maxEntries', [0, -1, 1.5, NaN, Infinity]],
  ['maxBytes', [0, -1, 1.5, NaN, Infinity]],
]) {
  test.serial(`${option} is a whole number from 1 on`, (t) => {
    for (const value of wrong) {
      const message = new RegExp(`^option ${option} is ${value}: it must be a whole number from`)
      t.throws(() => new SharedCache({ [option]: value }), { code: 'CONFIG_INVALID', message })
    }
    t.notThrows(() => new SharedCache({ [option]: undefined }))
  })
}

test.serial(
  'no more entries are held than maxEntries, and the others come from the store',
  async (t) => {
    const source = { loads: 0 }
    const load = (id) => ((source.loads += 1), `of ${id}`)
    const { prefix, cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
    const shared = cache({ maxEntries: 10 })
    const one = shared.resource({ name: 'one', load })
    const two = shared.resource({ name: 'two', load })
    const ids = numbers(50)
    for (const id of ids) {
      await one.get(id)
      await two.get(id)
      t.true(shared.stats().near.entries <= 10)
    }
    for (const name of ['one', 'two']) await stored(redis, prefix, name, 50)
    const { near } = shared.stats()
    t.is(near.maxEntries, 10)
    t.true(near.entries > 0)
    t.true(near.evictions >= 90, `${near.evictions} evictions`)
    t.is(source.loads, 100)
    for (const id of ids) t.is(await one.get(id), `of ${id}`)
    t.is(source.loads, 100, 'what left memory is in the store')
    t.true(shared.stats().near.entries <= 10)
  },
)

test.serial('an entry that left memory and came back serves no value from before', async (t) => {
  const source = sourceOf({ a: 'old', b: 'other' })
  const { cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
  const shared = cache({ maxEntries: 1 })
  const one = shared.resource({ name: 'one', load: source.load })
  await held(one, 'a')
  await one.get('b')
  await until(async () => (await one.get('b')) && shared.stats().near.evictions > 0, 'an eviction')
  source.values.set('a', 'new')
  await one.invalidate('a')
  for (let read = 0; read < 5; read++) t.is(await one.get('a'), 'new')
})

test.serial('what is read all along stays in memory', async (t) => {
  const { cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
  const shared = cache({ maxEntries: 20 })
  const one = shared.resource({ name: 'one', load: (id) => `of ${id}` })
  await held(one, 'hot')
  for (const id of numbers(100)) {
    await one.get(id)
    t.is((await one.getEntry('hot')).tier, 'memory')
  }
})

test.serial('no more bytes are held than maxBytes', async (t) => {
  const text = 'x'.repeat(10_000)
  const { cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
  const shared = cache({ maxBytes: 100_000 })
  const one = shared.resource({ name: 'one', load: (id) => `${id} ${text}` })
  for (const id of numbers(40)) {
    t.is(await one.get(id), `${id} ${text}`)
    t.true(shared.stats().near.bytes <= 100_000)
  }
  const { near } = shared.stats()
  t.is(near.maxBytes, 100_000)
  t.true(near.bytes > 30_000, `${near.bytes} bytes`)
  t.true(near.entries < 10, `${near.entries} entries`)
  t.true(near.evictions > 20, `${near.evictions} evictions`)
})

test.serial('a value that is larger than maxBytes is served, and not held', async (t) => {
  const huge = Buffer.alloc(300_000, 1)
  const { cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
  const shared = cache({ maxBytes: 100_000 })
  const one = shared.resource({ name: 'one', load: () => huge })
  t.deepEqual(await one.get('id'), huge)
  t.deepEqual(await one.get('id'), huge)
  t.true(shared.stats().near.bytes <= 100_000)
})

test.serial('an invalidation frees what it drops, or it is dropped by the next read', async (t) => {
  const source = sourceOf({ id: 'x'.repeat(50_000) })
  const { cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
  const shared = cache()
  const one = shared.resource({ name: 'one', load: source.load })
  await held(one, 'id')
  t.true(shared.stats().near.bytes > 50_000)
  source.values.set('id', 'short')
  await one.invalidate('id')
  t.is(await one.get('id'), 'short')
  const { bytes } = shared.stats().near
  t.true(bytes < 50_000, `${bytes} bytes`)
})

// Commands

test.serial('under a lease no read costs a command, and a read that asks costs one', async (t) => {
  const source = sourceOf({ id: 'x', other: 'y' })
  const { prefix, cache } = sharedFleet(t, store, QUIET)
  const [leased, asking] = [cache(LEASED), cache(ASKING)]
  const tags = (id) => [`hub:${id}`, 'all']
  const [hot, cold] = [leased, asking].map((each) =>
    each.resource({ name: 'thing', load: source.load, tags }),
  )
  for (const id of ['id', 'other']) await held(hot, id)
  await stored(redis, prefix, 'thing', 2)
  for (const id of ['id', 'other']) await cold.get(id)
  await quiet(store)

  const [before, billed] = [leased.stats().storeCommands, store.upstash.commands]
  for (let read = 0; read < 1000; read++) await hot.get(read % 2 ? 'id' : 'other')
  t.is(leased.stats().storeCommands - before, 0)
  t.is(store.upstash.commands - billed, 0)

  const [asked, billedThen] = [asking.stats().storeCommands, store.upstash.commands]
  for (let read = 0; read < 10; read++) await cold.get('id')
  t.is(asking.stats().storeCommands - asked, 10, 'ten reads that ask are ten commands')
  t.is(store.upstash.commands - billedThen, 10, 'and that is what is billed')
  t.is(source.loads.length, 2)
})

test.serial('a hot entry costs about one command a lease, however often it is read', async (t) => {
  const { prefix, cache } = sharedFleet(t, store, { ...QUIET, maxStalenessMs: 500 })
  const shared = cache()
  const one = shared.resource({ name: 'thing', load: () => 'x', tags: ['all'] })
  await one.get('id')
  await stored(redis, prefix, 'thing')
  await quiet(store)
  const before = shared.stats().storeCommands
  const last = performance.now() + 4000
  let reads = 0
  while (performance.now() < last) {
    await one.get('id')
    reads += 1
    await new Promise(setImmediate)
  }
  const commands = shared.stats().storeCommands - before
  t.true(commands >= 6 && commands <= 12, `${commands} commands in eight leases`)
  t.true(reads > 1000)
})

test.serial('an instance that nobody reads sends nothing', async (t) => {
  const { prefix, cache } = sharedFleet(t, store, { ...QUIET, maxStalenessMs: 100 })
  const shared = cache()
  const one = shared.resource({ name: 'thing', load: () => 'x' })
  await one.getMany(numbers(20))
  await stored(redis, prefix, 'thing', 20)
  await quiet(store)
  const before = shared.stats().storeCommands
  // Several leases: that nothing comes is no state that could be awaited.
  await new Promise((resolve) => setTimeout(resolve, 700))
  t.is(shared.stats().storeCommands, before)
})

// Counts

test.serial(
  'stats() has the members that the types name, and counts each resource by itself',
  async (t) => {
    const source = sourceOf({ id: 'x' })
    const { prefix, cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
    const shared = cache()
    const one = shared.resource({ name: 'one', load: source.load })
    shared.resource({ name: 'other', load: source.load })
    await Promise.all([one.get('id'), one.get('id')])
    await stored(redis, prefix, 'one')
    await until(() => shared.stats().resources.one.fills === 1, 'the answer to the fill')
    await held(one, 'id')
    await one.get('id')

    const stats = shared.stats()
    const named = [...membersOf(types, 'SharedCacheStats').keys()]
    t.deepEqual(Object.keys(stats).toSorted(), named.toSorted())
    const near = [...membersOf(types, 'SharedNearStatus').keys()]
    t.deepEqual(Object.keys(stats.near).toSorted(), near.toSorted())
    t.deepEqual(Object.keys(stats.resources).toSorted(), ['one', 'other'])
    const [, counted] = types.match(
      /export type ResourceCounters = Pick<\n {2}CacheCounters,\n(.*?)\n>/s,
    )
    const counters = [...counted.matchAll(/'(\w+)'/g)].map(([, name]) => name)
    for (const counts of Object.values(stats.resources)) {
      t.deepEqual(Object.keys(counts).toSorted(), counters.toSorted())
    }
    const { one: of, other } = stats.resources
    t.is(of.joined, 1)
    t.is(of.loaded, 1)
    t.is(of.fills, 1)
    t.true(of.memoryHits >= 2 && of.reads >= 4)
    t.true(Object.values(other).every((count) => count === 0))
    t.is(stats.reads, of.reads)
    t.is(stats.hitRate, stats.memoryHits / stats.reads)
    t.like(stats, { closed: false, invalidationPending: false, breaker: 'closed' })
    t.is(typeof stats.instance, 'string')
  },
)

test.serial('a cache that nobody has read yet has its counts at nought', async (t) => {
  const { cache } = sharedFleet(t, store, QUIET)
  const shared = cache()
  t.like(shared.stats(), { reads: 0, hitRate: null, storeCommands: 0, resources: {} })
  t.is(shared.stats().near.entries, 0)
  await shared.close()
  t.true(shared.stats().closed)
  t.is(typeof shared.metrics(), 'string')
})

test.serial('a value that nobody wanted expires in the store', async (t) => {
  const { prefix, cache } = sharedFleet(t, store, { ...LEASED, ...QUIET })
  const shared = cache()
  await shared.resource({ name: 'thing', load: () => 'x', ttlSeconds: 77 }).get('id')
  await stored(redis, prefix, 'thing')
  const left = (key) => redis.ttl(`${prefix}:thing:id:${key}`)
  const ttl = await until(async () => (await left('value')) > 0 && left('value'), 'a TTL')
  t.true(ttl > 70 && ttl <= 77, `${ttl} s`)
  await shared.resource({ name: 'default', load: () => 'x' }).get('id')
  await stored(redis, prefix, 'default')
  const usual = await redis.ttl(`${prefix}:default:id:value`)
  t.true(usual > 290 && usual <= 300, `${usual} s`)
})
