// What `cache.resource()` and `new SharedCache()` refuse before the addon, which is played here, is asked; and what it is given.
import { readFileSync } from 'node:fs'
import test from 'ava'

import { compareNames, tableUnder } from '../../dev/check/tables.mjs'
import { membersOf } from '../../dev/check/types.mjs'
import { definitionFor, fakeCache, resourceFor, SharedCache } from '../support/fake-addon.mjs'

const types = readFileSync(new URL('../../index.d.ts', import.meta.url), 'utf8')
const load = () => null
const QUERY = { table: 'lenses', match: 'id' }
const NAMES = 'name, ttlSeconds, load, supabase, loadTimeoutMs, fallback, tags, tables'
const CHARACTERS = 'it must be 1 to 64 of the characters a-z 0-9 _ . -'
const TAG = 'it must be a well-formed string of 1 to 1024 characters'

const REFUSED = [
  [undefined, 'options are undefined: they must be an object'],
  [null, 'options are null: they must be an object'],
  ['lens', 'options are a string: they must be an object'],
  [[], 'options are an array: they must be an object'],
  [{}, `option name is undefined: ${CHARACTERS}`],
  [{ name: 5 }, `option name is 5: ${CHARACTERS}`],
  [{ name: '' }, `option name is "": ${CHARACTERS}`],
  [{ name: 'Lens' }, `option name is "Lens": ${CHARACTERS}`],
  [{ name: 'a:b' }, `option name is "a:b": ${CHARACTERS}`],
  [{ name: 'a\n' }, `option name is "a\\n": ${CHARACTERS}`],
  [{ name: 'x'.repeat(65) }, `option name is a longer string: ${CHARACTERS}`],
  ...['system-prompt', 'tag', 'sequence', 'log', 'members', 'events'].map((name) => [
    { name, load },
    `option name is "${name}": it must be another: it is a word of the keys`,
  ]),
  [{ name: 'x', ttl: 5 }, `option ttl of resource x is not known: it must be one of ${NAMES}`],
  [
    { name: 'x' },
    'option load of resource x is undefined: it must be a function, or supabase be given in its place',
  ],
  [
    { name: 'x', load: 'x' },
    'option load of resource x is a string: it must be a function; leave it out for the default',
  ],
  [
    { name: 'x', load, supabase: QUERY },
    'option supabase of resource x is given: it must not come with load',
  ],
  [
    { name: 'x', supabase: 'lenses' },
    'option supabase of resource x is a string: it must be an object',
  ],
  [{ name: 'x', supabase: [] }, 'option supabase of resource x is an array: it must be an object'],
  ...[0, -1, 1.5, NaN, Infinity, 31_536_001].map((ttlSeconds) => [
    { name: 'x', load, ttlSeconds },
    `option ttlSeconds of resource x is ${ttlSeconds}: it must be a whole number from 1 to 31536000`,
  ]),
  [
    { name: 'x', load, ttlSeconds: '60' },
    'option ttlSeconds of resource x is a string: it must be a number; leave it out for the default',
  ],
  [
    { name: 'x', load, ttlSeconds: null },
    'option ttlSeconds of resource x is null: it must be a number; leave it out for the default',
  ],
  [
    { name: 'x', load, loadTimeoutMs: 0 },
    'option loadTimeoutMs of resource x is 0: it must be a whole number from 1 to 3600000',
  ],
  [
    { name: 'x', load, loadTimeoutMs: 3_600_001 },
    'option loadTimeoutMs of resource x is 3600001: it must be a whole number from 1 to 3600000',
  ],
  [
    { name: 'x', load, tags: 'docs' },
    'option tags of resource x is a string: it must be an array or a function',
  ],
  [{ name: 'x', load, tags: ['a', ''] }, `option tags[1] of resource x is empty: ${TAG}`],
  [{ name: 'x', load, tags: [5] }, `option tags[0] of resource x is a number: ${TAG}`],
  // oxlint-disable-next-line no-sparse-arrays
  [{ name: 'x', load, tags: [, 'a'] }, `option tags[0] of resource x is undefined: ${TAG}`],
  [
    { name: 'x', load, tags: ['x'.repeat(1025)] },
    `option tags[0] of resource x is 1025 characters long: ${TAG}`,
  ],
  [
    { name: 'x', load, tags: ['\udc00'] },
    `option tags[0] of resource x is not well formed: ${TAG}`,
  ],
  [
    { name: 'x', load, tables: ['lenses'] },
    'option tables of resource x is an array: it must be an object',
  ],
  [
    { name: 'x', load, tables: { lenses: 'id' } },
    'option tables.lenses of resource x is a string: it must be a function, or true',
  ],
  [
    { name: 'x', load, tables: { lenses: false } },
    'option tables.lenses of resource x is a boolean: it must be a function, or true',
  ],
  ...[Symbol('x'), 5n, Promise.resolve('x')].map((fallback) => [
    { name: 'x', load, fallback },
    `option fallback of resource x is ${typeof fallback === 'object' ? 'an' : 'a'} ${typeof fallback}: ` +
      'it must be a string, bytes, or what JSON has a text for',
  ]),
]

for (const [options, message] of REFUSED) {
  test(`a resource refused: ${message}`, (t) => {
    const { cache, addon } = fakeCache()
    const error = t.throws(() => cache.resource(options), { code: 'CONFIG_INVALID', message })
    t.false(error.retryable)
    t.deepEqual(addon.definitions, [])
  })
}

const QUERIES_REFUSED = [
  [{}, 'option table of resource x is undefined: it must be a string'],
  [{ table: 'lenses' }, 'option match of resource x is undefined: it must be a string'],
  [
    { ...QUERY, table: '' },
    'option table of resource x is "": it must be a well-formed string of 1 to 63 bytes',
  ],
  [
    { ...QUERY, match: 'ö'.repeat(32) },
    `option match of resource x is "${'ö'.repeat(32)}": it must be a well-formed string of 1 to 63 bytes`,
  ],
  [
    { ...QUERY, select: 5 },
    'option select of resource x is a number: it must be a string; leave it out for the default',
  ],
  [
    { ...QUERY, single: 'yes' },
    'option single of resource x is a string: it must be a boolean; leave it out for the default',
  ],
  [
    { ...QUERY, limit: 0 },
    'option limit of resource x is 0: it must be a whole number from 1 to 1000000',
  ],
  [
    { ...QUERY, where: ['a'] },
    'option where of resource x is an array: it must be an object of columns and their values',
  ],
  [
    { ...QUERY, where: { status: null } },
    'option where.status of resource x is null: it must be a well-formed string, a finite number or a boolean',
  ],
  [
    { ...QUERY, where: { status: NaN } },
    'option where.status of resource x is NaN: it must be a well-formed string, a finite number or a boolean',
  ],
  [
    { ...QUERY, where: { '': 'x' } },
    'option where of resource x is an object with a wrong key: it must have names of columns',
  ],
]
for (const [supabase, message] of QUERIES_REFUSED) {
  test(`a query refused: ${message}`, (t) => {
    const { cache } = fakeCache()
    t.throws(() => cache.resource({ name: 'x', supabase }), { code: 'CONFIG_INVALID', message })
  })
}

test('a name is given once', (t) => {
  const { cache } = fakeCache()
  cache.resource({ name: 'lens', load })
  t.throws(() => cache.resource({ name: 'lens', load }), {
    code: 'CONFIG_INVALID',
    message: 'option name is "lens": it must be another: the cache has a resource of this name',
  })
  t.is(cache.resource({ name: 'lens2', load }).name, 'lens2')
})

test('a resource that the addon refused is offered again at the next read', async (t) => {
  const { resource, addon } = resourceFor({ load: () => 'x' })
  addon.resource = () => {
    throw new Error('refused')
  }
  await t.throwsAsync(resource.get('a'), { message: 'refused' })
  delete addon.resource
  t.is(await resource.get('a'), 'x')
  t.is(await resource.get('b'), 'x')
  t.is(addon.definitions.length, 1)
})

test('undefined is the same as leaving it out', (t) => {
  const nothing = { ttlSeconds: undefined, tags: undefined, tables: undefined, fallback: undefined }
  const more = { supabase: undefined, loadTimeoutMs: undefined }
  const { load: loader, held: _, ...rest } = definitionFor({ ...more, ...nothing })
  t.is(typeof loader, 'function')
  t.deepEqual(
    Object.entries(rest).filter(([, value]) => value !== undefined),
    [
      ['name', 'thing'],
      ['ttlSeconds', 300],
    ],
  )
})

test('the addon is given a query with its defaults', (t) => {
  const { supabase: least, load: none } = definitionFor({ load: undefined, supabase: QUERY })
  const whole = {
    table: 'rag_documents',
    schema: 'grove',
    select: 'id,body',
    match: 'hub_id',
    where: { status: 'active', rank: 1, draft: false, absent: undefined },
    order: 'rank.desc',
    limit: 20,
    single: true,
  }
  const { supabase: most } = definitionFor({ load: undefined, supabase: whole })
  t.is(none, undefined)
  const absent = { schema: undefined, order: undefined, limit: undefined }
  t.deepEqual(least, { ...QUERY, ...absent, select: '*', where: [], single: false })
  const where = [
    ['status', 'active'],
    ['rank', '1'],
    ['draft', 'false'],
  ]
  t.deepEqual(most, { ...whole, where })
})

test('the addon is not given the secret of the webhooks', (t) => {
  const { addon } = fakeCache({ keyPrefix: 'mine', webhookSecret: 'canary'.repeat(6) })
  t.is(addon.settings.keyPrefix, 'mine')
  t.false(JSON.stringify(addon.settings).includes('canary'))
})

test('an option that does not exist is refused with those that do', (t) => {
  const names = [...membersOf(types, 'SharedCacheOptions').keys()]
  const error = t.throws(() => new SharedCache({ ttl: 5 }), { code: 'CONFIG_INVALID' })
  const [, said] = error.message.match(/^option ttl is not known: it must be one of (.+)$/)
  t.deepEqual(said.split(', ').toSorted(), names.toSorted())
  const own = [...membersOf(types, 'ResourceOptionsBase<V>').keys(), 'load', 'supabase']
  t.deepEqual(NAMES.split(', ').toSorted(), own.toSorted())
})

test('docs/RESOURCES.md has the options of the types, with their variables and defaults', (t) => {
  const guide = readFileSync(new URL('../../docs/RESOURCES.md', import.meta.url), 'utf8')
  const rows = [...tableUnder(guide, '## Options')].map((cells) =>
    cells.map((cell) => cell.replaceAll('`', '')),
  )
  const typed = membersOf(types, 'SharedCacheOptions')
  const names = rows.map(([name]) => name)
  t.deepEqual(compareNames('options', names, [...typed.keys()]), [])
  for (const [name, variable, value] of rows) {
    const comment = typed.get(name)
    t.is(variable, comment.match(/Environment: `(\w+)`/)?.[1] ?? '–', name)
    const [, said] = comment.match(/Default: `?([^`.:,]+)/) ?? []
    if (said && name !== 'webhookSecret') t.true(value.startsWith(said.trim()), `${name}: ${said}`)
  }
})

test('an option whose getter throws passes its error on', (t) => {
  const options = {
    get maxEntries() {
      throw new RangeError('mine')
    },
  }
  t.throws(() => new SharedCache(options), { instanceOf: RangeError, message: 'mine' })
})
