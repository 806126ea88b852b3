// What the calls of a resource and a cache pass on to the addon, which is played here, and what they refuse.
import test from 'ava'

import { definitionFor, fakeCache, RECEIPT } from '../support/fake-addon.mjs'

const LONGEST = 'ü'.repeat(256)

test('entries, resources and tags go in one call, each once', async (t) => {
  const { cache, addon } = fakeCache()
  const options = { wait: 'all' }
  const receipt = await cache.invalidate(
    {
      tags: ['hub:7', 'hub:7'],
      entries: { 'rag-context': ['a', 'b', 'a', 7, '7'], lens: [], other: undefined },
      resources: ['lens', 'lens'],
    },
    options,
  )
  t.is(receipt, RECEIPT)
  const entries = [
    ['rag-context', 'a'],
    ['rag-context', 'b'],
    ['rag-context', '7'],
  ]
  const [[given, passed], ...more] = addon.invalidations
  t.deepEqual(given, { entries, resources: ['lens'], tags: ['hub:7'] })
  t.is(passed, options)
  t.deepEqual(more, [])
})

test('a resource invalidates its own', async (t) => {
  const { resource, addon } = definitionFor({})
  t.is(await resource.invalidate('a'), RECEIPT)
  await resource.invalidate(['a', 7], { wait: 'all' })
  await resource.invalidate([])
  await resource.invalidateAll({ wait: 'commit' })
  const none = { resources: [], tags: [] }
  t.deepEqual(addon.invalidations, [
    [{ ...none, entries: [['thing', 'a']] }, undefined],
    [
      {
        ...none,
        entries: [
          ['thing', 'a'],
          ['thing', '7'],
        ],
      },
      { wait: 'all' },
    ],
    [{ ...none, entries: [] }, undefined],
    [{ ...none, entries: [], resources: ['thing'] }, { wait: 'commit' }],
  ])
})

test('an id is kept to the letter', async (t) => {
  const { resource, addon } = definitionFor({})
  const ids = [
    'a:b',
    '*',
    '%',
    '..',
    '\n',
    '\0',
    ' ',
    'é',
    'e\u0301',
    '🌳',
    LONGEST,
    -0,
    -5,
    2 ** 53 - 1,
  ]
  await resource.invalidate(ids)
  const [[{ entries }]] = addon.invalidations
  t.deepEqual(
    entries.map(([, id]) => id),
    [...ids.slice(0, 11), '0', '-5', '9007199254740991'],
  )
})

for (const [id, message] of [
  ['', /^id is 0 bytes long: it must be 1 to 512 bytes in UTF-8$/],
  [`${LONGEST}x`, /^id is 513 bytes long/],
  ['\ud800', /^id is not well formed: it must not hold half of a surrogate pair$/],
  [1.5, /^id is a number that is no safe integer: it must be a string or a safe integer$/],
  [2 ** 53, /^id is a number that is no safe/],
  [NaN, /^id is a number that is no/],
  [null, /^id is null: it must be a string or a safe integer$/],
  [undefined, /^id is undefined/],
  [5n, /^id is a bigint/],
  [{ secret: 'x' }, /^id is an object/],
  [[['a']], /^id is an array/],
  // oxlint-disable-next-line no-sparse-arrays
  [[, 'a'], /^id is undefined: it must be/],
]) {
  test(`an id is refused, and nothing invalidated: ${message.source}`, (t) => {
    const { resource, addon } = definitionFor({})
    const expected = { instanceOf: Error, code: 'ARGUMENT_INVALID', message }
    t.throws(() => resource.invalidate(id), expected)
    t.throws(() => resource.invalidate(['good', ...(Array.isArray(id) ? id : [id])]), expected)
    t.deepEqual(addon.invalidations, [])
  })
}

for (const [targets, message] of [
  [undefined, /^targets are undefined: they must be an object$/],
  ['hub:7', /^targets are a string/],
  [['hub:7'], /^targets are an array/],
  [{ tag: ['hub:7'] }, /^target tag is not known: it must be one of tags, entries, resources$/],
  [{}, /^targets name nothing: give at least one of tags, entries, resources$/],
  [{ tags: undefined }, /^targets name nothing/],
  [{ tags: 'hub:7' }, /^target tags is a string: it must be an array$/],
  [{ tags: null }, /^target tags is null/],
  [{ tags: ['a', ''] }, /^target tags\[1\] is empty: it must be a well-formed string of 1 to 1024/],
  // oxlint-disable-next-line no-sparse-arrays
  [{ tags: [, 'a'] }, /^target tags\[0\] is undefined/],
  [{ entries: ['a'] }, /^target entries is an array: it must be an object of resources and/],
  [{ entries: { lens: 'a' } }, /^target entries\.lens is a string: it must be an array of ids$/],
  [{ entries: { Lens: ['a'] } }, /^target entries has the resource "Lens": its name must be 1 to/],
  [{ entries: { tag: ['a'] } }, /^target entries has the resource "tag": its name must be another/],
  [{ entries: { lens: [''] } }, /^id is 0 bytes long/],
  [{ resources: 'lens' }, /^target resources is a string/],
  [{ resources: ['a b'] }, /^target resources\[0\] is "a b": it must be 1 to 64 of the characters/],
  [
    { resources: ['system-prompt'] },
    /^target resources\[0\] is "system-prompt": it must be another/,
  ],
  [{ resources: [5] }, /^target resources\[0\] is 5/],
]) {
  test(`targets are refused, and nothing invalidated: ${message.source}`, (t) => {
    const { cache, addon } = fakeCache()
    const expected = { code: 'ARGUMENT_INVALID', message }
    t.false(t.throws(() => cache.invalidate(targets), expected).retryable)
    t.deepEqual(addon.invalidations, [])
  })
}

test('of more than 10000 nothing is invalidated', async (t) => {
  const { cache, addon } = fakeCache()
  const resource = cache.resource({ name: 'thing', load: () => null })
  const ids = Array.from({ length: 9998 }, (_, index) => `id-${index}`)
  const most = { entries: { lens: [...ids, 'id-0'] }, tags: ['a'], resources: ['other'] }
  await cache.invalidate(most)
  t.is(addon.invalidations.splice(0)[0][0].entries.length, 9998, 'each once')
  const expected = {
    code: 'ARGUMENT_INVALID',
    message: 'targets are 10001: at most 10000 in one call; use a tag, or invalidateAll()',
  }
  t.throws(() => cache.invalidate({ ...most, tags: ['a', 'b'] }), expected)
  t.throws(() => resource.invalidate([...ids, 'a', 'b', 'c']), expected)
  t.deepEqual(addon.invalidations, [])
})

test('lists that are empty are passed on', async (t) => {
  const { cache, addon } = fakeCache()
  await cache.invalidate({ tags: [] })
  t.deepEqual(addon.invalidations, [[{ entries: [], resources: [], tags: [] }, undefined]])
})

test('the readers of a resource are those of the addon, and need no this', async (t) => {
  const { cache, addon } = fakeCache()
  const readers = { get: async (id) => `v${id}`, getEntry: async (id) => ({ value: `v${id}` }) }
  addon.resource = () => readers
  const resource = cache.resource({ name: 'thing', load: () => null })
  t.is(resource.get, readers.get)
  t.is(resource.getEntry, readers.getEntry)
  t.true(Object.isFrozen(resource))
  const { getMany, invalidate, invalidateAll } = resource
  t.deepEqual(await getMany(['b', 'a', 'b']), ['vb', 'va', 'vb'])
  t.deepEqual(await getMany([]), [])
  t.deepEqual([await invalidate('a'), await invalidateAll()], [RECEIPT, RECEIPT])
})

test('many are wanted in an array', (t) => {
  const { resource } = definitionFor({})
  for (const [ids, kind] of [
    ['a', 'a string'],
    [undefined, 'undefined'],
    [new Set(['a']), 'an object'],
  ]) {
    const message = `ids are ${kind}: they must be an array`
    t.throws(() => resource.getMany(ids), { code: 'ARGUMENT_INVALID', message })
  }
})

test('of many, one that rejects is the answer, and one that throws leaves no rejection behind', async (t) => {
  const { cache, addon } = fakeCache()
  const get = (id) => {
    if (id === 'wrong') throw new RangeError('of the argument')
    return id === 'bad' ? Promise.reject(new Error('of the load')) : Promise.resolve(id)
  }
  addon.resource = () => ({ get, getEntry: get })
  const { getMany } = cache.resource({ name: 'thing', load: () => null })
  await t.throwsAsync(getMany(['a', 'bad', 'b']), { message: 'of the load' })
  t.throws(() => getMany(['bad', 'wrong']), { instanceOf: RangeError })
  // An unhandled rejection would fail the file.
  await new Promise(setImmediate)
})

test('the rest is the addon’s', async (t) => {
  const { cache } = fakeCache()
  t.deepEqual(cache.stats(), { reads: 0 })
  t.is(cache.metrics(), 'metrics')
  t.is(await cache.close(), undefined)
})
