// The gateway that plays Supabase, as the official client sees it: over a real PostgREST and a real Postgres.

import { createClient } from '@supabase/supabase-js'
import test from 'ava'

import { activatePrompt, editActivePrompt } from '../dev/prompt-edits.mjs'
import { startStack } from '../dev/stack.mjs'

const SECTIONS = [
  'identity',
  'voiceGuidelines',
  'structureRules',
  'knowledgeInstructions',
  'boundaries',
]

let stack

test.before(async (t) => {
  t.timeout(60_000)
  stack = await startStack()
})
test.after.always(() => stack?.stop())
// The tests share one table and one fault switch, hence test.serial below.
test.afterEach.always(() => stack?.supabase.faults.clear())

const clientWith = (key, options) => createClient(stack.supabase.url, key, options)
const activeRow = (client) =>
  client.from('system_prompts').select('*').eq('status', 'active').single()

test.serial('the active row of the seed is a prompt of about 2 KB', async (t) => {
  const before = stack.supabase.requests
  const { data, error, status } = await activeRow(clientWith(stack.supabase.serviceKey))
  t.deepEqual([status, error], [200, null])
  t.is(data.title, 'Grove narrator')
  const text = SECTIONS.map((name) => data.payload[name]).join('\n')
  t.true(text.length > 1500 && text.length < 2500, `${text.length} characters`)
  t.is(data.payload.responseMode, 'architect')
  t.is(stack.supabase.requests - before, 1, 'one read is counted')
})

test.serial(
  'HEAD with a count, POST, PATCH and DELETE go through; only reads are counted',
  async (t) => {
    const client = clientWith(stack.supabase.serviceKey)
    stack.supabase.resetCounters()
    const added = await client
      .from('system_prompts')
      .insert({ title: 'Temporary', payload: { identity: 'ü€🌳' } })
      .select()
    t.is(added.status, 201)
    const [{ id, payload, status, type }] = added.data
    t.deepEqual([payload, status, type], [{ identity: 'ü€🌳' }, 'draft', 'system-prompt'])
    const patched = await client
      .from('system_prompts')
      .update({ title: 'Renamed' })
      .eq('id', id)
      .select()
      .single()
    t.is(patched.data.title, 'Renamed')
    t.not(patched.data.updated_at, added.data[0].updated_at, 'the trigger sets updated_at')
    t.is(stack.supabase.requests, 0)
    const counted = await client.from('system_prompts').select('*', { count: 'exact', head: true })
    t.deepEqual([counted.count, counted.data], [3, null])
    t.is((await client.from('system_prompts').delete().eq('id', id)).status, 204)
    t.is(stack.supabase.requests, 1)
  },
)

test.serial('a second active row is refused by the database', async (t) => {
  const client = clientWith(stack.supabase.serviceKey)
  const { error, status } = await client
    .from('system_prompts')
    .insert({ title: 'Another', status: 'active' })
  t.deepEqual([status, error.code], [409, '23505'])
})

test.serial('no active row is the error of single(), not an empty answer', async (t) => {
  const client = clientWith(stack.supabase.serviceKey)
  const { error, status } = await client
    .from('system_prompts')
    .select('*')
    .eq('status', 'pending')
    .single()
  t.deepEqual([status, error.code], [406, 'PGRST116'])
})

test.serial(
  'missing and wrong keys are refused by the gateway, the anon key by the database',
  async (t) => {
    const url = `${stack.supabase.url}/rest/v1/system_prompts`
    const none = await fetch(url)
    t.deepEqual(
      [none.status, await none.json()],
      [
        401,
        {
          message: 'No API key found in request',
          hint: 'No `apikey` request header or url param was found.',
        },
      ],
    )
    const wrong = await activeRow(clientWith('wrong'))
    t.deepEqual([wrong.status, wrong.error.message], [401, 'Invalid API key'])
    const anon = await activeRow(clientWith(stack.supabase.anonKey))
    t.deepEqual([anon.status, anon.error.code], [401, '42501'])
    const inQuery = await fetch(`${url}?select=title&apikey=${stack.supabase.serviceKey}`)
    t.is(inQuery.status, 200, 'the key may be in the query')
    await inQuery.text()
    const elsewhere = await fetch(`${stack.supabase.url}/auth/v1/user`, {
      headers: { apikey: stack.supabase.serviceKey },
    })
    t.deepEqual(
      [elsewhere.status, await elsewhere.json()],
      [404, { message: 'no Route matched with those values' }],
    )
  },
)

test.serial(
  'activating a prompt archives the old one, editing keeps the row and changes its version',
  async (t) => {
    const client = clientWith(stack.supabase.serviceKey)
    const old = (await activeRow(client)).data
    const row = await activatePrompt(stack.sql, {
      title: 'Second',
      payload: { identity: 'You are new.' },
    })
    const active = (await activeRow(client)).data
    t.deepEqual(
      [active.id, active.title, active.payload],
      [row.id, 'Second', { identity: 'You are new.' }],
    )
    const { data: archived } = await client
      .from('system_prompts')
      .select('status')
      .eq('id', old.id)
      .single()
    t.is(archived.status, 'archived')
    const edits = [
      await editActivePrompt(stack.sql, { boundaries: 'None.' }),
      await editActivePrompt(stack.sql, {}),
    ]
    t.deepEqual(
      edits.map(({ id }) => id),
      [row.id, row.id],
    )
    t.deepEqual(edits[1].payload, { identity: 'You are new.', boundaries: 'None.' })
    const versions = await stack.sql(
      'select updated_at::text as version from system_prompts where id = $1',
      [row.id],
    )
    t.is(
      (await activeRow(client)).data.updated_at.slice(0, 19),
      versions[0].version.slice(0, 19).replace(' ', 'T'),
    )
    const plain = await activatePrompt(stack.sql, { identity: 'A bare payload.' })
    t.deepEqual(plain.payload, { identity: 'A bare payload.' })
  },
)

test.serial('edits beside reads do not run inside the transactions of the reads', async (t) => {
  const client = clientWith(stack.supabase.serviceKey)
  let editing = true
  const reads = Array.from({ length: 8 }, async () => {
    while (editing) t.is((await activeRow(client)).error, null)
  })
  for (let edit = 0; edit < 50; edit += 1) {
    const row = await editActivePrompt(stack.sql, { boundaries: `${edit}` })
    t.is(row.payload.boundaries, `${edit}`)
    // A read's worth of turns, so that the readers are between BEGIN and COMMIT when the next edit comes.
    await activeRow(client)
  }
  editing = false
  await Promise.all(reads)
})

test.serial('each fault reaches the client', async (t) => {
  const { faults, serviceKey } = stack.supabase
  const read = (ms = 10_000) =>
    activeRow(clientWith(serviceKey)).abortSignal(AbortSignal.timeout(ms))
  const answers = async (fault, ms) => {
    faults.set(fault)
    const { data, error, status } = await read(ms)
    return { data, status, message: error?.message }
  }
  t.regex((await answers({ kind: 'hang' }, 200)).message, /TimeoutError/)
  t.regex((await answers({ kind: 'drip' }, 300)).message, /TimeoutError/)
  t.regex((await answers({ kind: 'delay', ms: 5000 }, 100)).message, /TimeoutError/)
  t.is((await answers({ kind: 'delay', ms: 20 })).status, 200)
  const page = {
    kind: 'status',
    code: 502,
    body: '<html>Bad Gateway</html>',
    contentType: 'text/html',
  }
  t.like(await answers(page), { status: 502, message: '<html>Bad Gateway</html>' })
  t.like(await answers({ kind: 'status', code: 429, body: '{"message":"slow down"}' }), {
    status: 429,
    message: 'slow down',
  })
  for (const kind of ['reset', 'truncated']) {
    t.regex((await answers({ kind })).message, /terminated|fetch failed/, kind)
  }
  t.truthy((await answers({ kind: 'garbage', body: '[{"id":' })).message)
  t.deepEqual((await answers({ kind: 'wrongJson', body: '{"no":"row"}' })).data, { no: 'row' })
  t.is(
    (await answers({ kind: 'huge', bytes: 5_000_000 })).data.result.length,
    5_000_000 - '{"result":""}'.length,
  )
  t.regex(
    (await answers({ kind: 'redirect', location: 'http://127.0.0.1:9/' })).message,
    /fetch failed/,
  )
  faults.clear()
  t.is((await read()).status, 200)
  t.regex(
    (await answers({ kind: 'closeIdle', times: 1 })).message,
    /fetch failed/,
    'the pooled connection is gone',
  )
  t.is((await read()).status, 200)
})
