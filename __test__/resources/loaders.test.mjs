// When a loader is asked, and what is served when it fails, hangs or is overtaken. Over the real store.
import test from 'ava'

import { until } from '../../dev/until.mjs'
import { ASKING, held, LEASED, sharedFleet, sourceOf, stored } from '../support/resources.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)
let redis
test.serial.before(() => {
  redis = store.store.connect()
})
test.afterEach.always(() => store.upstash.faults.clear())

const failing = () => Promise.reject(Object.assign(new RangeError('no hub'), { code: 'PGRST116' }))
const FAILED = { instanceOf: Error, code: 'LOAD_FAILED' }

/** A load that ends when it is told to. */
function heldBack() {
  const begun = []
  const load = (id, { signal }) =>
    new Promise((resolve, reject) => begun.push({ id, signal, resolve, reject }))
  return { begun, load }
}

test.serial('a hundred readers at the same time share a load', async (t) => {
  const source = sourceOf({ id: 'x' })
  const { cache } = sharedFleet(t, store, LEASED)
  const one = cache().resource({ name: 'thing', load: source.load })
  const reads = Array.from({ length: 100 }, (_, number) =>
    number % 2 ? one.get('id') : one.getEntry('id').then(({ value }) => value),
  )
  t.deepEqual(new Set(await Promise.all(reads)), new Set(['x']))
  t.deepEqual(source.loads, ['id'])
})

test.serial('readers of a hundred ids have a load each', async (t) => {
  const source = sourceOf()
  const ids = Array.from({ length: 100 }, (_, number) => `${number}`)
  for (const id of ids) source.values.set(id, `of ${id}`)
  const { cache } = sharedFleet(t, store, LEASED)
  const one = cache().resource({ name: 'thing', load: source.load })
  t.deepEqual(
    await one.getMany([...ids, ...ids]),
    [...ids, ...ids].map((id) => `of ${id}`),
  )
  t.deepEqual(source.loads.toSorted(), ids.toSorted())
})

test.serial('two resources have an entry each under the same id', async (t) => {
  const { cache } = sharedFleet(t, store, LEASED)
  const shared = cache()
  const one = shared.resource({ name: 'one', load: () => 'of one' })
  const other = shared.resource({ name: 'other', load: () => 'of the other' })
  t.deepEqual([await one.get('id'), await other.get('id')], ['of one', 'of the other'])
})

for (const [how, load, cause] of [
  ['rejects', failing, { message: 'no hub', code: 'PGRST116' }],
  [
    'throws',
    () => {
      throw new TypeError('at once')
    },
    { message: 'at once', code: 'TypeError' },
  ],
  ['gives what JSON has no text for', () => 5n, { message: /BigInt/, code: 'TypeError' }],
  [
    'gives a function',
    () => () => {},
    { message: /is a function that JSON has no/, code: 'TypeError' },
  ],
]) {
  test.serial(`a loader that ${how} is LOAD_FAILED, with what it said`, async (t) => {
    const { cache } = sharedFleet(t, store, LEASED)
    const one = cache().resource({ name: 'thing', load })
    for (const read of [one.get, one.getEntry]) {
      const error = await t.throwsAsync(read('id-of-a-user'), FAILED)
      t.true(error.retryable)
      t.true(error.cause instanceof Error)
      t.is(error.cause.code, cause.code)
      if (cause.message instanceof RegExp) t.regex(error.cause.message, cause.message)
      else t.is(error.cause.message, cause.message)
      t.false(error.message.includes('id-of-a-user'))
    }
  })
}

test.serial('a failure is not held: the next read asks again', async (t) => {
  const source = sourceOf({ id: 'x' })
  let fails = true
  const { prefix, cache } = sharedFleet(t, store, LEASED)
  const one = cache().resource({
    name: 'thing',
    load: (id) => (fails ? failing() : source.load(id)),
  })
  await t.throwsAsync(one.get('id'), FAILED)
  t.deepEqual(await redis.keys(`${prefix}:thing:id:value`), [])
  fails = false
  t.is(await one.get('id'), 'x')
})

test.serial('a loader that fails for one id does not for another', async (t) => {
  const { cache } = sharedFleet(t, store, LEASED)
  const load = (id) => (id === 'bad' ? failing() : `of ${id}`)
  const one = cache().resource({ name: 'thing', load })
  const [bad, good] = await Promise.allSettled([one.get('bad'), one.get('good')])
  t.is(bad.reason.code, 'LOAD_FAILED')
  t.is(good.value, 'of good')
  await t.throwsAsync(one.getMany(['good', 'bad']), FAILED)
})

for (const [what, fallback, expected] of [
  ['a string', 'stand-in', 'stand-in'],
  ['an object', { rows: [] }, { rows: [] }],
  ['bytes', Buffer.from('b'), Buffer.from('b')],
  ['null', null, null],
  ['a function of the id', (id) => ({ for: id }), { for: 'id' }],
]) {
  test.serial(`a fallback that is ${what} is served, labelled and not stored`, async (t) => {
    let fails = true
    const { prefix, cache } = sharedFleet(t, store, LEASED)
    const load = () => (fails ? failing() : 'real')
    const one = cache().resource({ name: 'thing', load, fallback })
    const entry = await one.getEntry('id')
    t.is(entry.tier, 'fallback')
    t.deepEqual(entry.value, expected)
    t.deepEqual(await one.get('id'), expected)
    t.deepEqual(await redis.keys(`${prefix}:thing:id:value`), [])
    fails = false
    t.is(await one.get('id'), 'real', 'the next read asks again')
  })
}

for (const [what, fallback] of [
  ['throws', () => JSON.parse('{')],
  ['gives undefined', () => {}],
  ['is async', async () => 'x'],
]) {
  test.serial(`a fallback that ${what} is none`, async (t) => {
    const { cache } = sharedFleet(t, store, LEASED)
    const one = cache().resource({ name: 'thing', load: failing, fallback })
    const error = await t.throwsAsync(one.get('id'), FAILED)
    t.is(error.cause.code, 'PGRST116', 'the loader is what failed')
  })
}

test.serial('while neither answers, the last known value is served and says so', async (t) => {
  let fails = false
  const { prefix, cache } = sharedFleet(t, store, { ...ASKING, push: false, redisTimeoutMs: 500 })
  const load = () => (fails ? failing() : { known: true })
  const one = cache().resource({ name: 'thing', load, fallback: 'stand-in' })
  t.deepEqual(await one.get('id'), { known: true })
  await stored(redis, prefix, 'thing')
  fails = true
  store.upstash.faults.set({ kind: 'status', code: 503 })
  const entry = await one.getEntry('id')
  t.is(entry.tier, 'stale')
  t.deepEqual(entry.value, { known: true })
  t.is((await one.getEntry('another')).tier, 'fallback')
  store.upstash.faults.clear()
})

test.serial('what an invalidation superseded is not served as the last known value', async (t) => {
  let fails = false
  const { prefix, cache } = sharedFleet(t, store, LEASED)
  const shared = cache()
  const load = () => (fails ? failing() : 'old')
  const one = shared.resource({ name: 'thing', load })
  const two = shared.resource({ name: 'other', load, fallback: 'stand-in' })
  t.deepEqual([await one.get('id'), await two.get('id')], ['old', 'old'])
  await stored(redis, prefix, 'other')
  fails = true
  await shared.invalidate({ resources: ['thing', 'other'] })
  await t.throwsAsync(one.get('id'), FAILED)
  t.like(await two.getEntry('id'), { value: 'stand-in', tier: 'fallback' })
})

test.serial(
  'a loader that never ends is given up at its deadline, and its flight with it',
  async (t) => {
    const { begun, load } = heldBack()
    const { cache } = sharedFleet(t, store, LEASED)
    const one = cache().resource({ name: 'thing', load, loadTimeoutMs: 50 })
    const before = performance.now()
    const error = await t.throwsAsync(one.get('id'), FAILED)
    t.true(performance.now() - before < 5000)
    t.regex(error.cause.code, /timeout/i)
    const [first] = begun
    await until(() => first.signal.aborted, 'the signal')
    t.is(first.signal.reason.name, 'TimeoutError')

    const next = one.get('id')
    await until(() => begun.length === 2, 'the next load')
    begun[1].resolve('in time')
    t.is(await next, 'in time')
    first.resolve('too late')
    await new Promise(setImmediate)
    t.is(await one.get('id'), 'in time')
  },
)

test.serial('the deadline of a load is the resource’s, else the cache’s', async (t) => {
  const { cache } = sharedFleet(t, store, LEASED)
  const shared = cache({ sourceTimeoutMs: 60 })
  const load = () => new Promise(() => {})
  const own = shared.resource({ name: 'own', load, loadTimeoutMs: 2000, fallback: 'x' })
  const of = shared.resource({ name: 'cache', load, fallback: 'x' })
  const ended = []
  await Promise.all([
    own.get('id').then(() => ended.push('own')),
    of.get('id').then(() => ended.push('cache')),
  ])
  t.deepEqual(ended, ['cache', 'own'])
})

test.serial(
  'a load that began before an invalidation is neither joined, stored nor held',
  async (t) => {
    const { begun, load } = heldBack()
    const { cache } = sharedFleet(t, store, LEASED)
    const one = cache().resource({ name: 'thing', load })
    const early = one.get('id')
    await until(() => begun.length === 1, 'the load')
    // Whoever loads from now on, a refill of the addon too, is given the new value.
    const answering = setInterval(() => begun.slice(1).forEach(({ resolve }) => resolve('new')), 5)
    t.teardown(() => clearInterval(answering))
    await one.invalidate('id')
    t.is(await one.get('id'), 'new')
    begun[0].resolve('old')
    t.is(await early, 'new', 'nobody is given an older value than another was')
    t.is((await held(one, 'id')).value, 'new')
    const other = cache().resource({ name: 'thing', load: () => 'new' })
    t.is(await other.get('id'), 'new')
  },
)

test.serial('the loader is given the id as a string, and a signal', async (t) => {
  const { begun, load } = heldBack()
  const { cache } = sharedFleet(t, store, LEASED)
  const one = cache().resource({ name: 'thing', load })
  const read = one.get(7)
  await until(() => begun.length === 1, 'the load')
  t.is(begun[0].id, '7')
  t.true(begun[0].signal instanceof AbortSignal)
  begun[0].resolve('x')
  t.is(await read, 'x')
  t.false(begun[0].signal.aborted)
})

for (const [what, tags] of [
  ['throws', () => JSON.parse('{')],
  ['gives a string', (id) => id],
  ['gives a number among them', () => ['a', 5]],
]) {
  test.serial(
    `a function for tags that ${what} makes the read ARGUMENT_INVALID, and names the resource`,
    async (t) => {
      const source = sourceOf({ id: 'x' })
      const { cache } = sharedFleet(t, store, LEASED)
      const one = cache().resource({ name: 'thing', load: source.load, tags })
      // It may throw as well as reject.
      const error = await t.throwsAsync(async () => one.get('id'), { code: 'ARGUMENT_INVALID' })
      t.regex(error.message, /resource thing/)
      t.false(error.retryable)
      t.deepEqual(source.loads, [])
    },
  )
}

test.serial(
  'after close() a read rejects with CLOSED, and what was under way ends as it would have',
  async (t) => {
    const { begun, load } = heldBack()
    const { cache } = sharedFleet(t, store, LEASED)
    const shared = cache()
    const one = shared.resource({ name: 'thing', load })
    const read = one.get('id')
    await until(() => begun.length === 1, 'the load')
    const closing = shared.close()
    await t.throwsAsync(one.get('id'), { code: 'CLOSED' })
    begun[0].resolve('x')
    t.is(await read, 'x')
    await closing
    await t.throwsAsync(one.getMany(['a', 'b']), { code: 'CLOSED' })
    await t.throwsAsync(one.invalidate('id'), { code: 'CLOSED' })
  },
)

test.serial(
  'without a store values are held for a lease, and an invalidation is of this instance',
  async (t) => {
    const source = sourceOf({ id: 'old' })
    const { cache } = sharedFleet(t, store, { ...LEASED, upstashUrl: '' })
    const one = cache().resource({ name: 'thing', load: source.load })
    t.deepEqual([await one.get('id'), await one.get('id')], ['old', 'old'])
    t.is(source.loads.length, 1)
    source.values.set('id', 'new')
    t.like(await one.invalidate('id'), { shared: false, generation: null })
    t.is(await one.get('id'), 'new')
  },
)
