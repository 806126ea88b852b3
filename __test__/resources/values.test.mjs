// What a loader gave is what every instance gives, and each id has a place of its own, whatever is in it. Over the real store.
import test from 'ava'
import fc from 'fast-check'

import { until } from '../../dev/until.mjs'
import { ASKING, held, LEASED, sharedFleet, sourceOf, stored } from '../support/resources.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)
let redis
test.serial.before(() => {
  redis = store.store.connect()
})

/** Two instances; the second has no loader that answers, so what it gives comes from the store. */
function pair(t, source, options = {}) {
  const { prefix, cache } = sharedFleet(t, store, LEASED)
  const failing = () => Promise.reject(new Error('not to be asked'))
  const one = cache().resource({ name: 'thing', load: source.load, ...options })
  const other = cache().resource({ name: 'thing', load: failing, ...options })
  return { prefix, one, other }
}

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
  test(`${what} comes back as it was, from the loader, from memory and from the store`, async (t) => {
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
  })
}

test('whatever JSON can say comes back as JSON has it, and any text as it was', async (t) => {
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
})

const plain = (value) => (Buffer.isBuffer(value) ? value : JSON.parse(JSON.stringify(value)))

test('half of a surrogate pair in a string becomes U+FFFD', async (t) => {
  const { one } = pair(t, sourceOf({ id: 'a\ud800b' }))
  t.is(await one.get('id'), 'a\ufffdb')
})

test('half of a surrogate pair in JSON does no harm', async (t) => {
  const { prefix, one, other } = pair(t, sourceOf({ id: { text: 'a\ud800b' } }))
  const { text } = await one.get('id')
  t.true(['a\ud800b', 'a\ufffdb'].includes(text))
  await stored(redis, prefix, 'thing')
  t.deepEqual(await other.get('id'), { text })
})

test('bytes are a fresh copy at each read', async (t) => {
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

test('what hits share is frozen all the way down', async (t) => {
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

test('an entry says where its value came from', async (t) => {
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

test('what something else wrote over a value is a miss, and not an answer', async (t) => {
  const source = sourceOf({ id: 'real' })
  const { prefix, cache } = sharedFleet(t, store, ASKING)
  const one = cache().resource({ name: 'thing', load: source.load })
  t.is(await one.get('id'), 'real')
  await stored(redis, prefix, 'thing')
  await redis.set(`${prefix}:thing:id:value`, 'injected')
  const cold = cache().resource({ name: 'thing', load: source.load })
  t.is(await cold.get('id'), 'real')
})

// Ids

const LONGEST = 'ü'.repeat(256)
// prettier-ignore
const IDS = [
  'a', 'A', 'a:b', ':', 'id:value', 'generation', 'fleet', '*', '?', '[a]', '%', '%61', '%2A', '%00',
  '..', '../a', '.', '/', '\\', ' ', '\n', '\r\n', '\0', '"', "'", '{', '}', '$', '`', '#', '+', '~', '!',
  'é', 'e\u0301', '🌳', '\u202e', '\ufffd', '0', '-5', '9007199254740991', LONGEST, `${LONGEST.slice(1)}a`,
]

test('each id has a value of its own, under keys of its own', async (t) => {
  const source = sourceOf(Object.fromEntries(IDS.map((id) => [id, `of ${id}`])))
  const { prefix, one, other } = pair(t, source)
  for (const id of IDS) t.is(await one.get(id), `of ${id}`)
  await stored(redis, prefix, 'thing', IDS.length)
  for (const id of IDS) t.is(await other.get(id), `of ${id}`)
  t.deepEqual(source.loads, IDS)

  const keys = await redis.keys(`${prefix}:*`)
  const values = keys.filter((key) => key.endsWith(':value'))
  const ids = values.map((key) => key.slice(`${prefix}:thing:`.length, -':value'.length))
  for (const id of ids) t.regex(id, /^[A-Za-z0-9_.%-]+$/)
  t.deepEqual(ids.map(decodeURIComponent).toSorted(), [...IDS].toSorted())
  for (const key of keys) t.regex(key.slice(prefix.length), /^[A-Za-z0-9_.%:-]+$/)
})

test('an invalidation of one id, whatever it is, leaves the others as they are', async (t) => {
  const source = sourceOf(Object.fromEntries(IDS.map((id) => [id, 'old'])))
  const { one } = pair(t, source)
  for (const id of IDS) await one.get(id)
  for (const id of ['*', '?', 'generation', '%', 'a:b', '..']) {
    source.values.set(id, 'new')
    source.loads.length = 0
    await one.invalidate(id)
    t.is(await one.get(id), 'new')
    for (const other of IDS) await one.get(other)
    t.deepEqual([...new Set(source.loads)], [id])
  }
})

test('any two ids are two entries', async (t) => {
  const { one } = pair(t, { load: async (id) => `of ${id}` })
  const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(ids, ids, async (a, b) => {
      t.deepEqual(await one.getMany([a, b]), [`of ${a}`, `of ${b}`])
    }),
    { numRuns: 60 },
  )
})

test('an integer is its decimal string', async (t) => {
  const source = sourceOf({ 7: 'seven', 0: 'zero', '-5': 'less' })
  const { one } = pair(t, source)
  for (const [id, value] of [
    [7, 'seven'],
    ['7', 'seven'],
    [0, 'zero'],
    [-0, 'zero'],
    [-5, 'less'],
  ]) {
    t.is(await one.get(id), value)
  }
  t.deepEqual(source.loads, ['7', '0', '-5'])
  source.values.set('7', 'changed')
  await one.invalidate(7)
  t.is(await one.get('7'), 'changed')
})

test('what is no id is thrown, and nothing of it is said', async (t) => {
  const source = sourceOf()
  const { one } = pair(t, source)
  const wrong = [
    '',
    `${LONGEST}x`,
    'canary\ud800',
    1.5,
    NaN,
    2 ** 53,
    null,
    undefined,
    5n,
    {},
    ['a'],
  ]
  for (const id of [...wrong, Symbol('canary'), () => 'canary', { toString: () => 'canary' }]) {
    for (const read of [one.get, one.getEntry]) {
      const { message } = t.throws(() => read(id), { code: 'ARGUMENT_INVALID' })
      t.false(message.includes('canary'))
    }
  }
  t.throws(() => one.get(), { code: 'ARGUMENT_INVALID' })
  t.throws(() => one.getMany(['a', '']), { code: 'ARGUMENT_INVALID' })
  t.deepEqual(
    source.loads.filter((id) => id !== 'a'),
    [],
  )
})

test('many come in the order in which they were asked for', async (t) => {
  const source = sourceOf({ a: 'A', b: { b: 1 }, c: null })
  const { one } = pair(t, source)
  t.deepEqual(await one.getMany(['c', 'a', 'b', 'a']), [null, 'A', { b: 1 }, 'A'])
  t.deepEqual(source.loads.toSorted(), ['a', 'b', 'c'])
})

// Nothing

for (const nothing of [null, undefined]) {
  test(`${nothing} is held for a lease, and never stored`, async (t) => {
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
