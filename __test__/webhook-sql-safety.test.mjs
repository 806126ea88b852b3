// The migration that announces changes: who may do what with it, and that no transaction fails over it.
import test from 'ava'
import { added, withDatabase } from './support/webhook-database.mjs'
import { handlerFor, SECRET } from './support/webhooks.mjs'

const database = withDatabase(test)
const configured = (url) => `select grove_cache.configure('${url}', '${SECRET}');`

test.serial('other roles change watched tables, and can do nothing else with it', async (t) => {
  const { run } = database
  for (const role of ['anon', 'authenticated', 'service_role']) {
    for (const text of [
      'select * from grove_cache.settings',
      'select * from grove_cache.outgoing',
      `select grove_cache.configure('https://elsewhere', repeat('x', 32))`,
      `select grove_cache.watch('documents')`,
      `select grove_cache.unwatch('documents')`,
      `select grove_cache.signing_key('x')`,
      'create table grove_cache.mine ()',
    ]) {
      const asked = run(`begin; set local role ${role}; ${text}`)
      await t.throwsAsync(asked, { message: /^permission denied for schema grove_cache$/ }, text)
      await run('rollback')
    }
  }
  const written = `begin; set local role authenticated; ${added()} commit`
  t.deepEqual(await database.kindsAfter(written), ['INSERT'])
})

test.serial(
  'with rights on the schema and its tables, nobody sees a row or calls a function',
  async (t) => {
    const { run, sql } = database
    const granted = `begin;
    ${added()}
    grant usage on schema grove_cache to anon;
    grant all on all tables in schema grove_cache to anon;
    set local role anon`
    await run(granted)
    t.deepEqual(await sql('select * from grove_cache.settings'), [])
    t.deepEqual(await sql('select * from grove_cache.outgoing'), [])
    await run('rollback')
    for (const call of [
      `configure('https://elsewhere', repeat('x', 32))`,
      `watch('documents')`,
      `unwatch('documents')`,
      `signing_key('x')`,
      `hmac_sha256('x', 'x')`,
    ]) {
      const asked = run(`${granted}; select grove_cache.${call}`)
      await t.throwsAsync(asked, { message: /^permission denied for function/ }, call)
      await run('rollback')
    }
  },
)

test.serial("what stands in for the catalogue's tables and functions is not asked", async (t) => {
  await database.run(`
    create schema mine;
    create function mine.encode(bytea, text) returns text language sql as $$ select 'mine' $$;
    grant usage on schema mine to authenticated`)
  const [{ headers, body, change }] = await database.after(`begin;
    set local role authenticated;
    create temp table pg_class (oid oid, relname name, relnamespace oid) on commit drop;
    create temp table pg_namespace (oid oid, nspname name) on commit drop;
    set local search_path = pg_temp, mine, pg_catalog, public;
    insert into public.documents (hub_id) values ('a');
    commit`)
  t.like(change, { schema: 'public', table: 'documents' })
  const { handle } = handlerFor(t)
  t.like(await handle({ headers, body }), { status: 200 })
})

const FAILURES = [
  {
    situation: 'pg_net refuses',
    fault: 'alter function net.http_post rename to absent',
    repair: 'alter function net.absent rename to http_post',
    message: /posted: function net\.http_post/,
  },
  {
    situation: 'its queue is gone',
    fault: 'alter table net.http_request_queue rename to absent',
    repair: 'alter table net.absent rename to http_request_queue',
    message: /posted: relation/,
  },
  {
    situation: 'nothing is configured',
    fault: 'delete from grove_cache.settings',
    message: /posted: nothing is configured/,
  },
  {
    situation: 'the secret cannot be used',
    fault: `update grove_cache.settings set secret = 'whsec_canary!'`,
    message: /posted: grove_cache: what follows whsec_/,
  },
  {
    situation: 'nothing can be put aside',
    fault: 'alter table grove_cache.outgoing rename to absent',
    repair: 'alter table grove_cache.absent rename to outgoing',
    message: /announced: relation/,
  },
  {
    situation: 'somebody has set the counter to what is no number',
    fault: `select set_config('grove_cache.rows_' || 'documents'::regclass::oid, 'canary', true)`,
    message: /announced: invalid input/,
  },
]
for (const { situation, fault, repair = '', message } of FAILURES) {
  test.serial(`where ${situation}, the transaction goes on, and warns`, async (t) => {
    const warnings = await database.run(`begin; ${fault}; ${added()} commit`)
    t.is(warnings.length, 1)
    t.regex(warnings[0], /^grove_cache: INSERT of public\.documents was not /)
    t.regex(warnings[0], message)
    t.is((await database.sql('select * from documents')).length, 1)
    await database.run(`${repair}; ${configured(database.url)}`)
    t.deepEqual(await database.sql('select * from grove_cache.outgoing'), [])
    t.deepEqual(await database.kindsAfter(added()), ['INSERT'])
  })
}

test.serial('a server that is not there fails no transaction', async (t) => {
  const unreachable = configured('http://127.0.0.1:1/') + added()
  t.deepEqual(await database.kindsAfter(unreachable), [])
  const [response] = await database.sql('select * from net._http_response order by id desc limit 1')
  t.is(response.status_code, null)
  t.truthy(response.error_msg)
  await database.run(configured(database.url))
})

test.serial('what is set is looked at, and no part of a secret is said', async (t) => {
  const long = 'canary'.repeat(6)
  for (const [url, secret, message] of [
    ['http://example.org/', long, /url must begin with https/],
    ['http://localhost.example.org/', long, /url/],
    ['', long, /url/],
    [null, long, /url/],
    ['https://example.org/', 'canary', /secret must have 32 characters/],
    ['https://example.org/', null, /secret/],
    ['https://example.org/', `whsec_${long}!`, /whsec_ in the secret must be base64/],
  ]) {
    const asked = database.sql('select grove_cache.configure($1, $2)', [url, secret])
    const error = await t.throwsAsync(asked, { message })
    t.false(`${error.message} ${error.detail}`.includes('canary'))
  }
  t.is((await database.sql('select * from grove_cache.settings'))[0].secret, SECRET)
})
