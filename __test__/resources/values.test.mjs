// What a loader gave is what every instance gives. Over the real store.
import test from 'ava'
import fc from 'fast-check'

import { until } from '../../dev/until.mjs'
import {
  ASKING,
  held,
  LEASED,
  pairOn,
  sharedFleet,
  sourceOf,
  stored,
} from '../support/resources.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)
let redis
test.serial.before(() => {
  redis = store.store.connect()
})

const pair = (t, source) => pairOn(t, store, source)

const VALUES = {
  'an empty string': '',
  'a number in a string': '123',
  'null in a string': 'null',
  'JSON in a string': '{"a":[1]}',
  'a string with quotes': '"quoted"',
  'a prefix of the encoding': 'sjbn',
  unicode: 'nöt ☃ 🌳 \u202e\0\n',
  'a long string': 'ü'.repeat(200_000),
  zero: 0,
  'a number': -1.5e300,
  false: false,
  'an empty array': [],
  'an empty object': {},
  nested: { a: [1, { b: null, c: ['x'] }], 'ключ ☃': { __proto__x: 1 } },
  'an own __proto__': JSON.parse('{"__proto__":{"polluted":true},"a":1}'),
  'no bytes': Buffer.alloc(0),
  bytes: Buffer.from([0, 1, 127, 128, 255, 10, 13]),
  'many bytes': Buffer.alloc(300_000, 'grün'),
}

for (const [what, value] of Object.entries(VALUES)) {
  test.serial(
    `${what} comes back as it was, from the loader, from memory and from the store`,
    async (t) => {
      const source = sourceOf({ id: value })
      const { prefix, one, other } = pair(t, source)
      const read = async (resource, tier) => {
        const entry = await resource.getEntry('id')
        t.deepEqual(entry.value, value)
        t.is(entry.tier, tier)
        t.deepEqual(await resource.get('id'), value)
      }
      await read(one, 'source')
      await stored(redis, prefix, 'thing')
      t.deepEqual((await held(one, 'id')).value, value)
      t.deepEqual((await other.getEntry('id')).value, value)
      t.deepEqual((await held(other, 'id')).value, value)
      t.deepEqual(source.loads, ['id'])
      t.is({}.polluted, undefined)
    },
  )
}

test.serial(
  'whatever JSON can say comes back as JSON has it, and any text as it was',
  async (t) => {
    const source = sourceOf()
    const { prefix, one, other } = pair(t, source)
    const values = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      fc.string({ unit: 'binary' }),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    )
    let count = 0
    const property = fc.asyncProperty(values, async (value) => {
      const id = `value-${count++}`
      source.values.set(id, value)
      const expected = plain(value)
      t.deepEqual(await one.get(id), expected)
      if (value === null) return
      await until(() => redis.exists(`${prefix}:thing:${id}:value`), 'the fill')
      t.deepEqual(await other.get(id), expected)
    })
    await fc.assert(property, { numRuns: 60 })
  },
)

const plain = (value) => (Buffer.isBuffer(value) ? value : JSON.parse(JSON.stringify(value)))

test.serial('half of a surrogate pair in a string becomes U+FFFD', async (t) => {
  const { one } = pair(t, sourceOf({ id: 'a\ud800b' }))
  t.is(await one.get('id'), 'a\ufffdb')
})

test.serial('half of a surrogate pair in JSON does no harm', async (t) => {
  const { prefix, one, other } = pair(t, sourceOf({ id: { text: 'a\ud800b' } }))
  const { text } = await one.get('id')
  t.true(['a\ud800b', 'a\ufffdb'].includes(text))
  await stored(redis, prefix, 'thing')
  t.deepEqual(await other.get('id'), { text })
})

test.serial('bytes are a fresh copy at each read', async (t) => {
  const { one } = pair(t, sourceOf({ id: new Uint8Array([1, 2, 3]) }))
  const [first, second] = [await one.get('id'), await one.get('id')]
  t.true(Buffer.isBuffer(first))
  first.fill(9)
  t.deepEqual([...second], [1, 2, 3])
  t.deepEqual([...(await one.get('id'))], [1, 2, 3])
  const { value } = await held(one, 'id')
  value.fill(9)
  t.deepEqual([...(await one.get('id'))], [1, 2, 3])
})

test.serial('what hits share is frozen all the way down', async (t) => {
  const loaded = { a: [{ b: 1 }], c: { d: 'x' } }
  const { prefix, one, other } = pair(t, sourceOf({ id: loaded }))
  const frozen = (value) => {
    t.true(Object.isFrozen(value))
    for (const each of Object.values(value)) if (typeof each === 'object') frozen(each)
  }
  frozen(await one.get('id'))
  await stored(redis, prefix, 'thing')
  frozen(await other.get('id'))
  frozen((await held(one, 'id')).value)
  const { a } = await one.get('id')
  t.throws(() => a.push(1), { instanceOf: TypeError })
  loaded.a[0].b = 2
  t.deepEqual((await one.get('id')).a, [{ b: 1 }], 'the loader’s own object is not what is served')
})

test.serial('an entry says where its value came from', async (t) => {
  const { prefix, one, other } = pair(t, sourceOf({ id: 'x' }))
  const begun = Date.now()
  const first = await one.getEntry('id')
  t.deepEqual(Object.keys(first).toSorted(), ['fetchedAt', 'generation', 'source', 'tier', 'value'])
  t.true(Object.isFrozen(first))
  t.true(first.fetchedAt >= begun - 1 && first.fetchedAt <= Date.now() + 1)
  t.true(first.generation === null || typeof first.generation === 'string')
  await stored(redis, prefix, 'thing')
  const second = await other.getEntry('id')
  t.is(second.tier, 'redis')
  t.is(second.fetchedAt, first.fetchedAt)
  t.is(second.source, first.source)
})

test.serial('what something else wrote over a value is a miss, and not an answer', async (t) => {
  const source = sourceOf({ id: 'real' })
  const { prefix, cache } = sharedFleet(t, store, ASKING)
  const one = cache().resource({ name: 'thing', load: source.load })
  t.is(await one.get('id'), 'real')
  await stored(redis, prefix, 'thing')
  const key = `${prefix}:thing:id:value`
  const other = await redis.getBuffer(key)
  other[other.length - 1] ^= 1
  for (const injected of ['injected', '', other]) {
    await redis.set(key, injected)
    const cold = cache().resource({ name: 'thing', load: source.load })
    t.is(await cold.get('id'), 'real')
  }
})

for (const nothing of [null, undefined]) {
  test.serial(`${nothing} is held for a lease, and never stored`, async (t) => {
    let value = nothing
    const { prefix, cache } = sharedFleet(t, store, LEASED)
    let loads = 0
    const one = cache().resource({
      name: 'thing',
      load: () => {
        loads += 1
        return value
      },
    })
    for (let read = 0; read < 10; read++) t.is(await one.get('id'), null)
    t.is(loads, 1)
    t.deepEqual(await redis.keys(`${prefix}:thing:id:value`), [])
    t.is((await one.getEntry('id')).value, null)
    value = 'there now'
    await one.invalidate('id')
    t.is(await one.get('id'), 'there now')

    const asking = cache(ASKING).resource({ name: 'thing', load: () => ((loads += 1), null) })
    loads = 0
    for (let read = 0; read < 3; read++) await asking.get('other')
    t.is(loads, 3)
  })
}
