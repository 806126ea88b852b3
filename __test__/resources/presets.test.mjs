// supabaseResource() and the ready-made resources: what a cache makes of them.
import { createRequire } from 'node:module'
import test from 'ava'
import {
  featureFlag,
  lensConfiguration,
  narrativeGraph,
  ragContext,
  supabaseResource,
} from 'grove-shared-cache'

const { definitionOf } = createRequire(import.meta.url)('../../lib/definition.cjs')

/** The definition that a cache makes of the options. */
function madeOf(options) {
  const { definition } = definitionOf(options)
  const { supabase, name, ttlSeconds, tags, ...rest } = definition
  return { supabase, name, ttlSeconds, tags: tags?.('7'), rest }
}

const ALL = { schema: undefined, order: undefined, limit: undefined, select: '*', where: [] }

for (const [preset, expected] of [
  [
    ragContext,
    {
      name: 'rag-context',
      ttlSeconds: 3600,
      tags: ['hub:7'],
      supabase: { ...ALL, table: 'rag_documents', match: 'hub_id', single: false },
    },
  ],
  [
    lensConfiguration,
    {
      name: 'lens',
      ttlSeconds: 600,
      tags: undefined,
      supabase: { ...ALL, table: 'lenses', match: 'id', single: true },
    },
  ],
  [
    featureFlag,
    {
      name: 'feature-flag',
      ttlSeconds: 300,
      tags: undefined,
      supabase: { ...ALL, table: 'feature_flags', match: 'key', single: true },
    },
  ],
  [
    narrativeGraph,
    {
      name: 'narrative-graph',
      ttlSeconds: 300,
      tags: ['hub:7'],
      supabase: {
        ...ALL,
        table: 'narrative_nodes',
        match: 'hub_id',
        select: '*,narrative_edges(*)',
        single: false,
      },
    },
  ],
]) {
  test(`${preset.name}() is a resource as it is`, (t) => {
    const { rest, ...made } = madeOf(preset())
    t.deepEqual(made, expected)
    t.true(Object.values(rest).every((value) => value === undefined))
    t.deepEqual(madeOf(preset(undefined)).supabase, expected.supabase)
  })

  test(`${preset.name}() takes every option of supabaseResource()`, (t) => {
    const own = {
      name: 'own',
      ttlSeconds: 5,
      loadTimeoutMs: 50,
      tags: ['mine'],
      table: 'other',
      schema: 'grove',
      select: 'id',
      match: 'slug',
      where: { live: true },
      order: 'id',
      limit: 3,
      single: true,
    }
    const { supabase, rest, ...made } = madeOf(preset({ ...own, fallback: 'none' }))
    t.deepEqual(made, { name: 'own', ttlSeconds: 5, tags: ['mine'] })
    const { table, schema, select, match, order, limit, single } = own
    const where = [['live', 'true']]
    t.deepEqual(supabase, { table, schema, select, match, where, order, limit, single })
    t.is(rest.loadTimeoutMs, 50)
    t.is(rest.fallback('7'), 'none')
  })

  test(`${preset.name}() refuses what is no option of it`, (t) => {
    t.throws(() => preset({ load: () => null }), {
      code: 'CONFIG_INVALID',
      message: /^option load is not known: it must be one of name, table, schema, select, match,/,
    })
    t.throws(() => preset('own'), { message: 'options are a string: they must be an object' })
    t.throws(() => preset({ limit: -1 }), { message: /^option limit of resource [\w-]+ is -1/ })
  })

  test(`an option of ${preset.name}() that is undefined is not given`, (t) => {
    t.deepEqual(
      madeOf(preset({ ttlSeconds: undefined, table: undefined })).ttlSeconds,
      expected.ttlSeconds,
    )
  })
}

test('what is wrong with a query is said where it is made', (t) => {
  t.throws(() => supabaseResource({ name: 'x', match: 'id' }), {
    code: 'CONFIG_INVALID',
    message: 'option table of resource x is undefined: it must be a string',
  })
  t.throws(() => supabaseResource(), { message: 'options are undefined: they must be an object' })
})

/** The tables that a webhook asks of a resource, with the ids of a row. */
function tablesOf(options, row) {
  const tables = Object.entries(definitionOf(options).tables)
  return Object.fromEntries(tables.map(([table, ids]) => [table, ids === true || ids(row)]))
}

test('a change of the table that is read concerns the entry of its row', (t) => {
  const row = { id: 1, key: 'dark', hub_id: 'h', slug: 's' }
  t.deepEqual(tablesOf(lensConfiguration(), row), { lenses: 1 })
  t.deepEqual(tablesOf(featureFlag(), row), { feature_flags: 'dark' })
  t.deepEqual(tablesOf(ragContext({ match: 'slug' }), row), { rag_documents: 's' })
  t.deepEqual(tablesOf(ragContext({ schema: 'public' }), row), { rag_documents: 'h' })
  t.deepEqual(tablesOf(ragContext({ schema: 'grove' }), row), { 'grove.rag_documents': 'h' })
  const query = { table: 'lenses', match: 'id' }
  t.deepEqual(tablesOf({ name: 'x', supabase: query }, row), { lenses: 1 }, 'without a preset too')
  t.deepEqual(tablesOf({ name: 'x', load: () => null }, row), {})
})

test('the edges of a graph concern the hub of their own row', (t) => {
  const row = { hub_id: 'h', slug: 's' }
  t.deepEqual(tablesOf(narrativeGraph(), row), { narrative_nodes: 'h', narrative_edges: 'h' })
  t.deepEqual(tablesOf(narrativeGraph({ schema: 'grove', match: 'slug' }), row), {
    'grove.narrative_nodes': 's',
    'grove.narrative_edges': 's',
  })
})

test('a row without that column gives no answer, and one that has none in it concerns no entry', (t) => {
  for (const [options, table] of [
    [ragContext(), 'rag_documents'],
    [lensConfiguration({ match: 'config->>slug' }), 'lenses'],
    [narrativeGraph(), 'narrative_nodes'],
    [narrativeGraph(), 'narrative_edges'],
  ]) {
    const ids = definitionOf(options).tables[table]
    t.throws(() => ids({ title: 'a', config: { slug: 's' } }), {
      message: /^the row has no column /,
    })
    // What an object inherits is no column.
    t.throws(() =>
      definitionOf({ ...options, supabase: { table, match: 'constructor' } }).tables[table]({}),
    )
    t.is(ids({ [options.supabase.match]: null }), null)
  }
})

test('tables that are given come before those that are automatic', (t) => {
  const tables = { lenses: (row) => [row.id, row.parent], themes: true, absent: undefined }
  const row = { id: 'a', parent: 'b' }
  t.deepEqual(tablesOf(lensConfiguration({ tables }), row), { lenses: ['a', 'b'], themes: true })
  t.deepEqual(tablesOf(narrativeGraph({ tables: { themes: true } }), { hub_id: 'h' }), {
    narrative_nodes: 'h',
    themes: true,
  })
})
