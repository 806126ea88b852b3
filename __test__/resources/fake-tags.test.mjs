// The tags of an entry, and the value that stands in for it.
import test from 'ava'

import { definitionFor, resourceFor } from '../support/fake-addon.mjs'

test('tags are the same for all entries, or each one’s own, each once', (t) => {
  t.deepEqual(definitionFor({ tags: ['a', 'b', 'a'] }).tags('1'), ['a', 'b'])
  const own = definitionFor({ tags: (id) => [`hub:${id}`, 'docs', 'docs'] })
  t.deepEqual(own.tags('7'), ['hub:7', 'docs'])
  t.deepEqual(definitionFor({ tags: () => [] }).tags('7'), [])
})

test('an entry is given to the addon with its tags', async (t) => {
  const { resource, addon } = resourceFor({ tags: (id) => [`hub:${id}`, 'docs'], load: () => 'x' })
  await resource.get(7)
  t.deepEqual(addon.entries.at(-1), [0, '7', ['hub:7', 'docs']])
})

test('a tag has room for any id, with a word before it', (t) => {
  const { tags } = definitionFor({ tags: (id) => [`hub:${id}`] })
  for (const id of ['x'.repeat(512), 'ü'.repeat(256)]) t.deepEqual(tags(id), [`hub:${id}`])
  const longest = 'x'.repeat(1024)
  t.deepEqual(definitionFor({ tags: [longest] }).tags('7'), [longest])
})

for (const [what, tags, message] of [
  [
    'throws',
    () => JSON.parse('{'),
    /^tags of resource thing threw for an id: they must be an array/,
  ],
  ['gives nothing', () => {}, /^tags of resource thing gave undefined for an id: they must be/],
  ['gives a string', (id) => id, /^tags of resource thing gave a string for an id/],
  ['is async', async () => ['a'], /^tags of resource thing gave an object for an id/],
  ['gives a number', () => ['a', 5], /^tags of resource thing gave a tag that is a number/],
  ['gives a long one', () => ['x'.repeat(1025)], /^tags of resource thing gave a tag that is 1025/],
]) {
  test(`a function for tags that ${what} is named`, (t) => {
    const secret = 'id-of-a-user'
    const error = t.throws(() => definitionFor({ tags }).tags(secret), {
      code: 'ARGUMENT_INVALID',
      message,
    })
    t.false(error.retryable)
    t.false(error.message.includes(secret))
    t.is(error.cause?.code, what === 'throws' ? 'SyntaxError' : undefined)
  })
}

test('a fallback is a copy, of a value or of what a function gives for the id', (t) => {
  const value = { rows: [1], at: new Date(0) }
  for (const fallback of [value, () => value]) {
    const standIn = definitionFor({ fallback }).fallback('7')
    t.deepEqual(standIn, { rows: [1], at: '1970-01-01T00:00:00.000Z' })
    t.true(Object.isFrozen(standIn) && Object.isFrozen(standIn.rows))
  }
  t.false(Object.isFrozen(value))
  t.is(definitionFor({ fallback: (id) => `none for ${id}` }).fallback('7'), 'none for 7')
  for (const fallback of ['', 0, false, null]) {
    t.is(definitionFor({ fallback }).fallback('7'), fallback)
  }
  const bytes = definitionFor({ fallback: new Uint8Array([1]) })
  t.deepEqual(bytes.fallback('7'), Buffer.from([1]))
  t.not(bytes.fallback('7'), bytes.fallback('7'))
})

for (const [what, fallback] of [
  ['undefined', () => {}],
  ['an object', async () => 'x'],
  ['a symbol', () => Symbol('x')],
]) {
  test(`a fallback that gave ${what} gave none`, (t) => {
    t.throws(() => definitionFor({ fallback }).fallback('7'), {
      code: 'ARGUMENT_INVALID',
      message: `fallback of resource thing gave ${what}: it must be a string, bytes, or what JSON has a text for`,
    })
  })
}
