// Resources that the addon reads from Supabase by itself, and the four that are ready-made. Over the real store and a real PostgREST.
import test from 'ava'
import {
  featureFlag,
  lensConfiguration,
  narrativeGraph,
  ragContext,
  supabaseResource,
} from 'grove-shared-cache'

import { LEASED, sharedFleet, stored } from '../support/resources.mjs'
import { withStack } from '../support/stack.mjs'

const stack = withStack(test)
test.afterEach.always(() => stack.supabase.faults.clear())

/** Caches on the whole stack. */
const fleet = (t, own = {}) =>
  sharedFleet(t, stack, {
    ...LEASED,
    supabaseUrl: stack.supabase.url,
    supabaseKey: stack.supabase.serviceKey,
    ...own,
  })

const HUBS = [
  'a',
  'a,b',
  'a)',
  '(',
  '"',
  "'",
  '*',
  '%',
  '&',
  '=',
  '?',
  '#',
  '/',
  '\\',
  ' ',
  'eq.a',
  'é',
  '🌳',
]
test.serial.before(async () => {
  for (const hub of HUBS) {
    const add = 'insert into rag_documents (hub_id, title, body, rank) values ($1, $2, $3, $4)'
    await stack.sql(add, [hub, 'first', `of ${hub}`, 1])
    await stack.sql(add, [hub, 'second', `more of ${hub}`, 2])
  }
  await stack.sql(`delete from lenses`)
  await stack.sql(`insert into lenses (id, title, payload) values ('story', 'Story', '{"a": [1]}')`)
  await stack.sql(`insert into feature_flags (key, enabled) values ('dark', true)`)
  await stack.sql(`insert into narrative_nodes (id, hub_id, title) values
    ('n1', 'h', 'One'), ('n2', 'h', 'Two'), ('n3', 'other', 'Three')`)
  await stack.sql(
    `insert into narrative_edges (hub_id, node_id, to_id, kind) values ('h', 'n1', 'n2', 'leads to')`,
  )
})

test.serial('the documents of a hub, whatever its id is, are those and no others', async (t) => {
  const rag = fleet(t)
    .cache()
    .resource(ragContext({ order: 'rank' }))
  for (const hub of HUBS) {
    const rows = await rag.get(hub)
    t.deepEqual(
      rows.map(({ hub_id, title, body }) => [hub_id, title, body]),
      [
        [hub, 'first', `of ${hub}`],
        [hub, 'second', `more of ${hub}`],
      ],
    )
  }
  for (const id of ['not there', 'eq.', 'a&select=id', '*)', 'not.is.null']) {
    t.deepEqual(await rag.get(id), [], id)
  }
})

test.serial('a single one is the row, or null', async (t) => {
  const shared = fleet(t).cache()
  const lens = shared.resource(lensConfiguration())
  t.like(await lens.get('story'), { id: 'story', title: 'Story', payload: { a: [1] } })
  t.is(await lens.get('unknown'), null)
  const flag = shared.resource(featureFlag())
  t.deepEqual(await flag.get('dark'), { key: 'dark', enabled: true })
})

test.serial('the nodes of a hub come with their edges', async (t) => {
  const graph = fleet(t)
    .cache()
    .resource(narrativeGraph({ order: 'id' }))
  const nodes = await graph.get('h')
  t.deepEqual(
    nodes.map(({ id, narrative_edges: edges }) => [id, edges.map(({ to_id }) => to_id)]),
    [
      ['n1', ['n2']],
      ['n2', []],
    ],
  )
})

test.serial('columns, conditions, order and limit are as they are given', async (t) => {
  const of = (own) =>
    supabaseResource({ name: 'docs', table: 'rag_documents', match: 'hub_id', ...own })
  const rows = (own) => fleet(t).cache().resource(of(own)).get('a')
  t.deepEqual(await rows({ select: 'title', order: 'rank.desc' }), [
    { title: 'second' },
    { title: 'first' },
  ])
  t.deepEqual(await rows({ select: 'title', order: 'rank.desc', limit: 1 }), [{ title: 'second' }])
  t.deepEqual(await rows({ select: 'title', where: { rank: 1, status: 'active' } }), [
    { title: 'first' },
  ])
  t.deepEqual(await rows({ where: { title: 'first,second' } }), [])
  t.deepEqual(await rows({ select: 'title', order: 'rank', single: true }), { title: 'first' })
})

test.serial(
  'a changed row is served after its entry is invalidated, by every instance',
  async (t) => {
    const { prefix, cache } = fleet(t)
    const [one, other] = [cache(), cache()].map((each) => each.resource(lensConfiguration()))
    await stack.sql(`insert into lenses (id, title) values ('edited', 'before')`)
    t.is((await one.get('edited')).title, 'before')
    await stored(stack.redis, prefix, 'lens')
    t.is((await other.getEntry('edited')).tier, 'redis')
    await stack.sql(`update lenses set title = 'after' where id = 'edited'`)
    await one.invalidate('edited', { wait: 'all', timeoutMs: 30_000 })
    t.is((await one.get('edited')).title, 'after')
    t.is((await other.get('edited')).title, 'after')
  },
)

test.serial('a tag of the ready-made drops what several resources have of a hub', async (t) => {
  const shared = fleet(t).cache()
  const [rag, graph] = [shared.resource(ragContext()), shared.resource(narrativeGraph())]
  const before = async () => [(await rag.get('h')).length, (await graph.get('h')).length]
  t.deepEqual(await before(), [0, 2])
  await stack.sql(`insert into rag_documents (hub_id, title, body) values ('h', 'new', 'new')`)
  await stack.sql(`delete from narrative_nodes where id = 'n2'`)
  t.deepEqual(await before(), [0, 2])
  await shared.invalidate({ tags: ['hub:h'] })
  t.deepEqual(await before(), [1, 1])
})

test.serial('what Supabase refuses is LOAD_FAILED with a word, or the fallback', async (t) => {
  const { cache } = fleet(t, { supabaseKey: 'canary' })
  const shared = cache()
  const lens = shared.resource(lensConfiguration())
  const error = await t.throwsAsync(lens.get('story'), { code: 'LOAD_FAILED' })
  t.false(error.retryable)
  t.is(error.cause.code, 'unauthorized')
  t.false(`${error.message} ${error.cause.message}`.includes('canary'))
  const flag = shared.resource(featureFlag({ fallback: { key: 'dark', enabled: false } }))
  t.like(await flag.getEntry('dark'), { tier: 'fallback', value: { enabled: false } })
})

for (const [fault, word] of [
  [{ kind: 'status', code: 500 }, 'status'],
  [{ kind: 'wrongJson', body: '{"a":1}' }, 'malformed'],
  [{ kind: 'hang' }, 'timeout'],
]) {
  test.serial(
    `a Supabase that has the fault ${fault.kind} is LOAD_FAILED with ${word}`,
    async (t) => {
      const lens = fleet(t, { sourceTimeoutMs: 300 }).cache().resource(lensConfiguration())
      stack.supabase.faults.set(fault)
      const error = await t.throwsAsync(lens.get('story'), { code: 'LOAD_FAILED' })
      t.is(error.cause.code, word)
      stack.supabase.faults.clear()
      t.is((await lens.get('story')).title, 'Story')
    },
  )
}

test.serial('a table that is not there is LOAD_FAILED', async (t) => {
  const of = supabaseResource({ name: 'x', table: 'nowhere', match: 'id' })
  await t.throwsAsync(fleet(t).cache().resource(of).get('a'), { code: 'LOAD_FAILED' })
})
