// Webhooks: which entries a change concerns.
import { createRequire } from 'node:module'
import test from 'ava'
import { narrativeGraph, ragContext } from 'grove-shared-cache'
import { BEARER, bodyOf, guide, handlerFor, runSnippet } from './support/webhooks.mjs'

const { definitionOf } = createRequire(import.meta.url)('../lib/definition.cjs')
const TAG = 'table:public.documents'

/** What a change invalidates where resources have these maps of the table. */
async function invalidated(t, tables, change) {
  const resources = Object.entries(tables).map(([name, map]) => ({
    name,
    tables: { documents: map },
  }))
  const { handle, calls, warnings } = handlerFor(t, { resources: () => resources })
  const { status, body } = await handle({ headers: BEARER, body: bodyOf(change) })
  t.is(status, 200)
  t.is(calls.length, 1, 'one call for one webhook')
  return { ...calls[0], reply: body, warnings }
}

const CHANGES = [
  ['an INSERT', { type: 'INSERT', old_record: null }, ['new']],
  ['a DELETE', { type: 'DELETE', record: null }, ['old']],
  ['an UPDATE that moves a row', {}, ['new', 'old']],
  ['an UPDATE that does not', { old_record: { hub_id: 'new' } }, ['new']],
  ['an UPDATE without the row before', { old_record: undefined }, ['new']],
]
for (const [situation, change, ids] of CHANGES) {
  test(`${situation} concerns the ids of the rows that are there`, async (t) => {
    const { reply, ...targets } = await invalidated(t, { rag: (row) => row.hub_id }, change)
    t.deepEqual(targets, { entries: { rag: ids }, resources: [], tags: [TAG], warnings: [] })
    t.deepEqual(reply, { invalidated: { entries: ids.length, resources: 0, tags: 1 } })
  })
}

test('a TRUNCATE concerns the whole resource, and its map is not asked', async (t) => {
  const change = { type: 'TRUNCATE' }
  const { reply, ...targets } = await invalidated(t, { rag: () => t.fail() }, change)
  t.deepEqual(targets, { entries: {}, resources: ['rag'], tags: [TAG], warnings: [] })
  t.deepEqual(reply, { invalidated: { entries: 0, resources: 1, tags: 1 } })
})

test('so does the change of a trigger for whole statements, which has no row', async (t) => {
  const change = { record: null, old_record: null }
  t.deepEqual((await invalidated(t, { rag: () => t.fail() }, change)).resources, ['rag'])
})

test('a map is given the row and the change', async (t) => {
  const given = []
  const change = { type: 'UPDATE', table: 'documents', schema: 'public' }
  await invalidated(t, { rag: (...words) => void given.push(words) })
  t.is(given.length, 2)
  t.deepEqual(given[0][0], { id: 1, hub_id: 'new' })
  t.deepEqual(given[1][0], { id: 1, hub_id: 'old' })
  for (const [, told] of given) t.like(told, { ...change, old_record: { hub_id: 'old' } })
})

const IDS = [
  ['a text', 'a', ['a']],
  ['a number', 7, ['7']],
  ['the least number', 0, ['0']],
  ['a list', ['a', 7, 'a'], ['a', '7']],
  ['a text of 512 bytes', 'ü'.repeat(256), ['ü'.repeat(256)]],
  ['the name of something inherited', '__proto__', ['__proto__']],
]
for (const [situation, given, ids] of IDS) {
  test(`a map may give ${situation}`, async (t) => {
    const { entries, reply } = await invalidated(t, { rag: () => given })
    t.deepEqual(entries.rag, ids)
    t.false('widened' in reply)
  })
}

for (const none of [null, undefined, []]) {
  test(`a map that gives ${JSON.stringify(none)} concerns no entry`, async (t) => {
    const { reply, ...targets } = await invalidated(t, { rag: () => none })
    t.deepEqual(targets, { entries: {}, resources: [], tags: [TAG], warnings: [] })
    t.deepEqual(reply, { invalidated: { entries: 0, resources: 0, tags: 1 } })
  })
}

const throws = (error) => () => {
  throw error
}
const rejects = () => Promise.reject(new Error('canary'))
const WIDENED = [
  ['throws', throws(new TypeError('canary')), /threw \(TypeError\)/],
  ['throws nothing', throws(null), /threw \(undefined\)/],
  ['throws for one of the rows', (row) => row.hub_id === 'old' && row.no.hub, /threw/],
  ['gives an empty text', () => '', /gave an id that is 0 bytes long: it must be 1 to 512 bytes/],
  ['gives a text of 513 bytes', () => `${'ü'.repeat(256)}x`, /gave an id that is 513 bytes long/],
  ['gives half a character', () => 'x\ud800', /gave an id that is not well formed/],
  ['gives a fraction', () => 1.5, /no safe integer/],
  ['gives a number that JSON has rounded', () => 2 ** 53, /no safe integer/],
  ['gives NaN', () => NaN, /no safe integer/],
  ['gives a truth value', () => true, /gave an id that is a boolean: it must be a string/],
  ['gives an object', () => ({ id: 'a' }), /an object/],
  ['gives a list with a hole', () => ['a', null], /null/],
  ['gives a list in a list', () => [['a']], /an array/],
  ['is async', async () => 'a', /an object/],
  ['is async and rejects', rejects, /an object/],
  ['gives promises that reject', () => [rejects(), rejects()], /an object/],
  ['is none', 'hub_id', /threw \(TypeError\)/],
]
for (const [situation, map, message] of WIDENED) {
  test(`where a map ${situation}, its whole resource goes, and the reply says so`, async (t) => {
    const maps = { rag: map, lens: (row) => row.id }
    const { reply, warnings, ...targets } = await invalidated(t, maps)
    t.deepEqual(targets, { entries: { lens: ['1'] }, resources: ['rag'], tags: [TAG] })
    const counts = { entries: 1, resources: 1, tags: 1 }
    t.deepEqual(reply, { invalidated: counts, widened: ['rag'] })
    t.is(warnings.length, 1)
    t.regex(warnings[0], /^webhook: all of rag is invalidated, as its map /)
    t.regex(warnings[0], message)
  })
}

test('a row without its large columns, and a map that gives nothing: the whole resource', async (t) => {
  const maps = { rag: (row) => row.hub_id, lens: (row) => row.body?.lens }
  const { entries, resources, reply, warnings } = await invalidated(t, maps, { partial: true })
  t.deepEqual([entries, resources], [{ rag: ['new', 'old'] }, ['lens']])
  t.deepEqual(reply.widened, ['lens'])
  t.regex(warnings[0], /gave nothing for a row without its large columns/)
})

test('a row that came without the column that is read by: the whole resource', async (t) => {
  const { tables } = definitionOf(ragContext({ table: 'documents' }))
  const graph = definitionOf(narrativeGraph()).tables.narrative_edges
  const row = { id: 1, title: 'x' }
  const maps = { rag: tables.documents, graph }
  const { entries, resources, reply } = await invalidated(t, maps, { record: row, old_record: row })
  t.deepEqual([entries, resources, reply.widened], [{}, ['rag', 'graph'], ['rag', 'graph']])
})

const idsFor = (count) => Array.from({ length: count }, (_, index) => `id-${index}`)

test('of more than 1000 ids, the whole resource goes, and of many resources what is too much together', async (t) => {
  const tooMany = await invalidated(t, { rag: () => idsFor(1001), lens: () => idsFor(1000) })
  t.deepEqual(tooMany.resources, ['rag'])
  t.is(tooMany.entries.lens.length, 1000)
  t.deepEqual(tooMany.reply.widened, ['rag'])
  t.regex(tooMany.warnings[0], /^webhook: all of rag is invalidated, as its map gave 1001 ids$/)
  const maps = Array.from({ length: 12 }, (_, index) => [`r${index}`, () => idsFor(1000)])
  const many = await invalidated(t, Object.fromEntries(maps))
  const { entries, resources, tags } = many.reply.invalidated
  t.true(entries + resources + tags <= 10_000)
  t.is(entries / 1000 + resources, 12)
})

test('a resource may have the name of something inherited', async (t) => {
  const maps = JSON.parse('{ "__proto__": 0, "constructor": 0 }')
  for (const name of Object.keys(maps))
    Object.defineProperty(maps, name, { value: () => name, enumerable: true })
  const { entries, reply } = await invalidated(t, maps)
  t.deepEqual(Object.entries(entries), [
    ['__proto__', ['__proto__']],
    ['constructor', ['constructor']],
  ])
  t.is(reply.invalidated.entries, 2)
})

test('true in place of a map is the whole resource, as it was meant', async (t) => {
  const { resources, reply } = await invalidated(t, { rag: true, lens: (row) => row.id })
  t.deepEqual(resources, ['rag'])
  t.deepEqual(reply, { invalidated: { entries: 1, resources: 1, tags: 1 } })
})

test('a table is named with its schema, or without if that is public', async (t) => {
  const of = (name, ...tables) => ({
    name,
    tables: Object.fromEntries(tables.map((table) => [table, () => name])),
  })
  const resources = [
    of('a', 'x'),
    of('b', 'public.x'),
    of('c', 'other.x'),
    of('d', 'x', 'public.x'),
  ]
  const { handle, calls } = handlerFor(t, { resources: () => resources })
  for (const [table, schema] of Object.entries({ x: 'public', y: 'public' }))
    await handle({ headers: BEARER, body: bodyOf({ table, schema }) })
  await handle({ headers: BEARER, body: bodyOf({ table: 'x', schema: 'other' }) })
  t.deepEqual(
    calls.map(({ entries, tags }) => [Object.keys(entries), ...tags]),
    [
      [['a', 'b', 'd'], 'table:public.x'],
      [[], 'table:public.y'],
      [['c'], 'table:other.x'],
    ],
  )
})

test('of a table that no resource names, only the tag is invalidated', async (t) => {
  for (const table of ['hubs', 'constructor', '__proto__']) {
    const { handle, calls } = handlerFor(t)
    const reply = await handle({ headers: BEARER, body: bodyOf({ table }) })
    const counts = { entries: 0, resources: 0, tags: 1 }
    t.deepEqual(reply, { status: 200, body: { invalidated: counts, ignored: true } })
    t.deepEqual(calls, [{ entries: {}, resources: [], tags: [`table:public.${table}`] }])
  }
})

test('the maps of docs/WEBHOOKS.md give what it says', async (t) => {
  const [snippet] = guide('js', 'What a row concerns')
  const cache = { resource: (definition) => definition }
  const context = runSnippet(snippet, { cache }, 'context')
  const { handle, calls } = handlerFor(t, { resources: () => [context] })
  const rows = { record: { hub_id: 'a' }, old_record: { hub_id: 'b' } }
  for (const change of [
    { ...rows, table: 'documents' },
    { ...rows, table: 'documents', record: { hub_id: null } },
    { ...rows, table: 'hub_members', schema: 'private' },
    { ...rows, table: 'hub_members', schema: 'private', type: 'DELETE', record: null },
    { ...rows, table: 'settings' },
  ]) {
    const { body } = await handle({ headers: BEARER, body: bodyOf(change) })
    t.deepEqual(Object.keys(body), ['invalidated'])
  }
  t.deepEqual(
    calls.map(({ entries, resources }) => entries['hub-context'] ?? resources),
    [['a', 'b'], ['b'], [], ['b'], ['hub-context']],
  )
})
