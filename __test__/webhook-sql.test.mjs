// The migration that announces changes, in a real Postgres: what is posted, when, and how it is signed.
import { createHmac, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import test from 'ava'
import { ragContext } from 'grove-shared-cache'
import { added, MIGRATION, withDatabase } from './support/webhook-database.mjs'
import { guide, handlerFor, SECRET } from './support/webhooks.mjs'

const { definitionOf } = createRequire(import.meta.url)('../lib/definition.cjs')
const database = withDatabase(test)
const { raw } = String

test.serial('each kind of change is posted, with the rows before and after it', async (t) => {
  const changes = []
  for (const text of [
    added(),
    `update documents set hub_id = 'b'`,
    'delete from documents',
    'truncate documents',
  ])
    changes.push(...(await database.after(text)).map(({ change }) => change))
  const [{ id }, hub] = [changes[0].record, (hub_id) => ({ id, hub_id, body: 'text', extra: {} })]
  const place = { table: 'documents', schema: 'public' }
  t.deepEqual(changes, [
    { type: 'INSERT', ...place, record: hub('a'), old_record: null },
    { type: 'UPDATE', ...place, record: hub('b'), old_record: hub('a') },
    { type: 'DELETE', ...place, record: null, old_record: hub('b') },
    { type: 'TRUNCATE', ...place, record: null, old_record: null },
  ])
})

test.serial('what is posted is signed, and lib/webhook.cjs takes it', async (t) => {
  const text = raw`'ü€🌳 "\\ ', E'two\nlines', '{"a": [1.50, null]}'`
  const [{ headers, body }] = await database.after(added(text))
  t.is(headers['content-type'], 'application/json')
  t.false('authorization' in headers)
  t.false(JSON.stringify([headers, body]).includes(SECRET))
  const { handle, calls } = handlerFor(t)
  t.like(await handle({ headers, body }), { status: 200, body: { invalidated: { entries: 1 } } })
  t.deepEqual(calls[0].entries, { rag: [raw`ü€🌳 "\\ `] })
  t.like(await handle({ headers, body: body.replace('two', 'one') }), { status: 401 })
})

test.serial('nothing is posted after a rollback', async (t) => {
  const { kindsAfter, run } = database
  t.deepEqual(await kindsAfter(`begin; ${added()} truncate documents; ${added()} rollback`), [])
  const savepoint = `begin; ${added()} savepoint s; delete from documents; rollback to s; commit`
  t.deepEqual(await kindsAfter(savepoint), ['INSERT'])
  await t.throwsAsync(run(`begin; ${added()} select 1 / 0; commit`))
  t.deepEqual(await kindsAfter('rollback'), [])
})

test.serial(
  'a change is put into the queue, and signed, when its transaction commits',
  async (t) => {
    await database.run(`begin; ${added()} truncate documents`)
    t.is((await database.sql('select * from grove_cache.outgoing')).length, 2)
    t.is((await database.sql('select * from net.http_request_queue')).length, 0)
    const [{ now }] = await database.sql('select extract(epoch from clock_timestamp()) as now')
    const posted = await database.after('commit')
    t.is(posted.length, 2)
    for (const { headers } of posted)
      t.true(Number(headers['webhook-timestamp']) >= Math.floor(now))
    t.deepEqual(await database.sql('select * from grove_cache.outgoing'), [])
  },
)

test.serial('a table with changes that are still to be posted can be altered', async (t) => {
  const text = `begin; ${added()} alter table documents add column later int; commit`
  t.deepEqual(await database.kindsAfter(text), ['INSERT'])
})

test.serial('an update that changes nothing is not posted', async (t) => {
  await database.after(added())
  t.deepEqual(await database.kindsAfter('update documents set hub_id = hub_id'), [])
  t.deepEqual(await database.kindsAfter('update documents set body = null'), ['UPDATE'])
  t.deepEqual(await database.kindsAfter('update documents set body = null'), [])
})

test.serial(
  'many rows of a transaction are announced as a change of the whole table',
  async (t) => {
    const { kindsAfter } = database
    const many = (rows) =>
      `insert into documents (hub_id) select 'h' || row from generate_series(1, ${rows}) row;`
    t.deepEqual(await kindsAfter(many(100)), Array(100).fill('INSERT'))
    const posted = await kindsAfter(`begin; ${many(90)} update documents set body = 'x'; commit`)
    t.is(posted.length, 101)
    t.is(posted.filter((kind) => kind === 'TRUNCATE').length, 1)
    t.deepEqual(await kindsAfter(added()), ['INSERT'], 'the next transaction begins anew')
  },
)

test.serial('of a row over 256 KB only the small columns are posted', async (t) => {
  const [{ change: whole }] = await database.after(added(`'a', repeat('x', 250000), '{}'`))
  t.is(whole.record.body.length, 250_000)
  t.false('partial' in whole)
  const update = `update documents set hub_id = 'b', body = repeat('y', 250000)`
  const [{ change, body, headers }] = await database.after(update)
  t.like(change, { partial: true, record: { hub_id: 'b' }, old_record: { hub_id: 'a' } })
  for (const row of [change.record, change.old_record]) t.false('body' in row)
  const { handle, calls } = handlerFor(t)
  t.like(await handle({ headers, body }), { status: 200 })
  t.deepEqual(calls[0].entries, { rag: ['b', 'a'] })
})

test.serial('columns that are named are posted alone, and any change of the row is', async (t) => {
  const { after, run } = database
  const table = raw`"Odd ""Name"" é"`
  await run(`create table ${table} ("Hub Id" text, "it's" int, rest text)`)
  await run(`select grove_cache.watch('${table}', 'Hub Id', 'it''s')`)
  for (const text of [
    `insert into ${table} values ('a', 1, 'r')`,
    `update ${table} set rest = 's'`,
  ]) {
    const [{ change }] = await after(text)
    t.like(change, { table: 'Odd "Name" é', schema: 'public' })
    t.deepEqual(change.record, { 'Hub Id': 'a', "it's": 1 })
  }
  await t.throwsAsync(run(`select grove_cache.watch('documents', 'hub_id', 'hubid')`), {
    message: 'grove_cache: public.documents has no column hubid',
  })
  await run(`select grove_cache.watch('${table}')`)
  const [{ change }] = await after(`delete from ${table}`)
  t.deepEqual(change.old_record, { 'Hub Id': 'a', "it's": 1, rest: 's' }, 'whole rows again')
})

test.serial('where the column that is read by is not among them, no change is lost', async (t) => {
  const { after, run } = database
  const { tables } = definitionOf(ragContext({ table: 'memos' }))
  const { handle, calls } = handlerFor(t, { resources: () => [{ name: 'rag', tables }] })
  await run('create table memos (id int, hub_id text)')
  for (const [columns, invalidated] of [
    [`, 'id'`, { entries: {}, resources: ['rag'] }],
    [`, 'id', 'hub_id'`, { entries: { rag: ['a'] }, resources: [] }],
  ]) {
    await run(`select grove_cache.watch('memos'${columns})`)
    const [{ headers, body }] = await after(`insert into memos values (1, 'a')`)
    t.like(await handle({ headers, body }), { status: 200 })
    t.deepEqual(calls.pop(), { ...invalidated, tags: ['table:public.memos'] })
  }
})

test.serial('a partition is announced as the table that it is a part of', async (t) => {
  const [{ change }] = await database.after(`
    create schema other;
    create table other.parts (id int) partition by range (id);
    create table other.parts_1 partition of other.parts for values from (0) to (9);
    select grove_cache.watch('other.parts');
    insert into other.parts values (1)`)
  t.like(change, { schema: 'other', table: 'parts', record: { id: 1 } })
})

test.serial(
  'a table that is watched twice is announced once, and one that is not no more',
  async (t) => {
    const { kindsAfter } = database
    t.deepEqual(await kindsAfter(`select grove_cache.watch('documents'); ${added()}`), ['INSERT'])
    const unwatched = `select grove_cache.unwatch('documents'); ${added()} truncate documents`
    t.deepEqual(await kindsAfter(unwatched), [])
    const again = `select grove_cache.unwatch('documents'), grove_cache.watch('documents'); ${added()}`
    t.deepEqual(await kindsAfter(again), ['INSERT'])
  },
)

test.serial('the migration may be run again, and keeps what was set', async (t) => {
  t.deepEqual(await database.run(MIGRATION), [])
  t.deepEqual(await database.kindsAfter(added()), ['INSERT'])
})

test.serial('the HMAC is that of RFC 2104', async (t) => {
  for (const length of [1, 20, 32, 63, 64, 65, 131]) {
    const [key, message] = [randomBytes(length), randomBytes(length * 7)]
    const text = 'select grove_cache.hmac_sha256($1, $2) as hmac'
    const [{ hmac }] = await database.sql(text, [key, message])
    t.deepEqual(Buffer.from(hmac), createHmac('sha256', key).update(message).digest(), `${length}`)
  }
})

test.serial('a secret of the form whsec_ signs with its key', async (t) => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const configured = (text) => `select grove_cache.configure('${database.url}', '${text}');`
  const [{ headers, body }] = await database.after(configured(secret) + added())
  const { handle } = handlerFor(t, { secret: () => secret })
  t.like(await handle({ headers, body }), { status: 200 })
  await database.run(configured(SECRET))
})

test.serial('the statements of docs/WEBHOOKS.md set up what they say', async (t) => {
  const [setUp, look] = guide('sql', 'Set up')
  const [url, secret] = [
    'https://your-server.example/webhooks/supabase',
    'the secret of step 1, in full',
  ]
  t.true(setUp.includes(url) && setUp.includes(secret))
  await database.run(`select grove_cache.unwatch('documents')`)
  const posted = await database.after(
    setUp.replace(url, database.url).replace(secret, SECRET) + added(),
  )
  t.deepEqual(
    posted.map(({ change }) => change.type),
    ['INSERT'],
  )
  const [{ status_code: status }] = await database.sql(look)
  t.is(status, 200)
})
