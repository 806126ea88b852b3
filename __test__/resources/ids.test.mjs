// Each id has an entry of its own, whatever is in it, and what is none is refused. Over the real store.
import test from 'ava'
import fc from 'fast-check'

import { pairOn, sourceOf, stored } from '../support/resources.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)
let redis
test.serial.before(() => {
  redis = store.store.connect()
})

const pair = (t, source) => pairOn(t, store, source)

const LONGEST = 'ü'.repeat(256)
// prettier-ignore
const IDS = [
  'a', 'A', 'a:b', ':', 'id:value', 'generation', 'members', '*', '?', '[a]', '%', '%61', '%2A', '%00',
  '..', '../a', '.', '/', '\\', ' ', '\n', '\r\n', '\0', '"', "'", '{', '}', '$', '`', '#', '+', '~', '!',
  'é', 'e\u0301', '🌳', '\u202e', '\ufffd', '0', '-5', '9007199254740991', LONGEST, `${LONGEST.slice(1)}a`,
]

test.serial('each id has a value of its own, under keys of its own', async (t) => {
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
  const ofResource = `${prefix}:thing:*:generation`
  for (const key of keys.filter((each) => each !== ofResource))
    t.regex(key.slice(prefix.length), /^[A-Za-z0-9_.%:-]+$/)
})

test.serial(
  'an invalidation of one id, whatever it is, leaves the others as they are',
  async (t) => {
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
  },
)

test.serial('any two ids are two entries', async (t) => {
  const { one } = pair(t, { load: async (id) => `of ${id}` })
  const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(ids, ids, async (a, b) => {
      t.deepEqual(await one.getMany([a, b]), [`of ${a}`, `of ${b}`])
    }),
    { numRuns: 60 },
  )
})

test.serial('an integer is its decimal string', async (t) => {
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

test.serial('a read of what is no id is rejected, and nothing of it is said', async (t) => {
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
      const { message } = await t.throwsAsync(read(id), { code: 'ARGUMENT_INVALID' })
      t.false(message.includes('canary'))
    }
  }
  await t.throwsAsync(one.get(), { code: 'ARGUMENT_INVALID' })
  await t.throwsAsync(one.getMany(['a', '']), { code: 'ARGUMENT_INVALID' })
  t.deepEqual(source.loads, [])
})

test.serial('many come in the order in which they were asked for', async (t) => {
  const source = sourceOf({ a: 'A', b: { b: 1 }, c: null })
  const { one } = pair(t, source)
  t.deepEqual(await one.getMany(['c', 'a', 'b', 'a']), [null, 'A', { b: 1 }, 'A'])
  t.deepEqual(source.loads.toSorted(), ['a', 'b', 'c'])
})
