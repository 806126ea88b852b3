// What the calls of a resource and a cache pass on to the addon, which is played here, and what they refuse.
import test from 'ava'

import { fakeCache, RECEIPT, resourceFor } from '../support/fake-addon.mjs'

const LONGEST = 'ü'.repeat(256)

test('entries, resources and tags go in one call, each once', async (t) => {
  const { cache, addon } = fakeCache()
  const receipt = await cache.invalidate(
    {
      tags: ['hub:7', 'hub:7'],
      entries: { 'rag-context': ['a', 'b', 'a', 7, '7'], lens: [], other: undefined },
      resources: ['lens', 'lens'],
    },
    { wait: 'all', timeoutMs: 5 },
  )
  t.deepEqual(receipt, RECEIPT)
  const entries = [
    ['rag-context', 'a'],
    ['rag-context', 'b'],
    ['rag-context', '7'],
  ]
  const targets = { entries, resources: ['lens'], tags: ['hub:7'] }
  t.deepEqual(addon.invalidations, [[targets, true, 5]])
})

test('a resource invalidates its own', async (t) => {
  const { resource, addon } = resourceFor({})
  t.deepEqual(await resource.invalidate('a'), RECEIPT)
  await resource.invalidate(['a', 7], { wait: 'all' })
  await resource.invalidate([])
  await resource.invalidateAll({ wait: 'commit' })
  const none = { resources: [], tags: [] }
  t.deepEqual(addon.invalidations, [
    [{ ...none, entries: [['thing', 'a']] }, false, null],
    [
      {
        ...none,
        entries: [
          ['thing', 'a'],
          ['thing', '7'],
        ],
      },
      true,
      null,
    ],
    [{ ...none, entries: [] }, false, null],
    [{ ...none, entries: [], resources: ['thing'] }, false, null],
  ])
})

test('an id is kept to the letter', async (t) => {
  const { resource, addon } = resourceFor({})
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
  test(`an id is refused, and nothing invalidated: ${message.source}`, async (t) => {
    const { resource, addon } = resourceFor({})
    const expected = { instanceOf: Error, code: 'ARGUMENT_INVALID', message }
    await t.throwsAsync(resource.invalidate(id), expected)
    const several = ['good', ...(Array.isArray(id) ? id : [id])]
    await t.throwsAsync(resource.invalidate(several), expected)
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
  test(`targets are refused, and nothing invalidated: ${message.source}`, async (t) => {
    const { cache, addon } = fakeCache()
    const expected = { code: 'ARGUMENT_INVALID', message }
    const { retryable } = await t.throwsAsync(cache.invalidate(targets), expected)
    t.false(retryable)
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
  await t.throwsAsync(cache.invalidate({ ...most, tags: ['a', 'b'] }), expected)
  await t.throwsAsync(resource.invalidate([...ids, 'a', 'b', 'c']), expected)
  t.deepEqual(addon.invalidations, [])
})

test('lists that are empty are passed on', async (t) => {
  const { cache, addon } = fakeCache()
  await cache.invalidate({ tags: [] })
  t.deepEqual(addon.invalidations, [[{ entries: [], resources: [], tags: [] }, false, null]])
})

test('the functions of a resource need no this', async (t) => {
  const { resource, addon } = resourceFor({ load: async (id) => `v${id}` })
  t.true(Object.isFrozen(resource))
  const { get, getEntry, getMany, invalidate, invalidateAll } = resource
  t.is(await get('a'), 'va')
  t.is((await getEntry('a')).value, 'va')
  t.deepEqual(await getMany(['b', 'a', 'b']), ['vb', 'va', 'vb'])
  t.deepEqual(await getMany([]), [])
  await invalidate('a')
  await invalidateAll()
  t.is(addon.invalidations.length, 2)
})

test('many are wanted in an array', async (t) => {
  const { resource } = resourceFor({})
  for (const [ids, kind] of [
    ['a', 'a string'],
    [undefined, 'undefined'],
    [new Set(['a']), 'an object'],
  ]) {
    const message = `ids are ${kind}: they must be an array`
    await t.throwsAsync(resource.getMany(ids), { code: 'ARGUMENT_INVALID', message })
  }
})

test('of many, one that rejects is the answer, and no rejection is left behind', async (t) => {
  const load = (id) => {
    if (id === 'good') return id
    throw new RangeError(`of ${id}`)
  }
  const { resource } = resourceFor({ load })
  const error = await t.throwsAsync(resource.getMany(['good', 'bad', 'worse']))
  t.is(error.cause.message, 'of bad')
  // An unhandled rejection would fail the file.
  await new Promise(setImmediate)
})

test('of many, no id is read if one of them is none', async (t) => {
  const loads = []
  const { resource } = resourceFor({ load: (id) => loads.push(id) })
  await t.throwsAsync(resource.getMany(['a', '']), { code: 'ARGUMENT_INVALID' })
  t.deepEqual(loads, [])
})

test('the rest is the addon’s', async (t) => {
  const { cache } = fakeCache()
  t.deepEqual(cache.stats(), { reads: 0 })
  t.is(cache.metrics(), 'metrics')
  t.is(await cache.close(), undefined)
})
