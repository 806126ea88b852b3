// What `doctor` says of a broken source: the first cause alone, and how to mend it. One test at a time: they share the table.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { serve } from '../../dev/loopback.mjs'
import { activatePrompt, editActivePrompt } from '../../dev/prompt-edits.mjs'
import { roleToken } from '../../dev/supabase.mjs'
import { until } from '../../dev/until.mjs'
import { runCommand, wrongBy } from '../support/command-line.mjs'
import { fleet, withStack } from '../support/stack.mjs'

const stack = withStack(test)

/** One finding of this kind, and no other. */
async function isAll(t, environment, level, check, message, words = []) {
  const wrong = await wrongBy(t, { ...stack.environment, ...environment }, words)
  t.is(wrong.length, 1, JSON.stringify(wrong))
  t.like(wrong[0], { level, check })
  t.regex(wrong[0].message, message)
}

/** Undoes what was done to the table. */
async function restore() {
  stack.supabase.faults.clear()
  await stack.sql('delete from system_prompts')
  await activatePrompt(stack.sql, { title: 'Whole', payload: { identity: 'whole' } })
}

test.serial.before(restore)
test.serial.afterEach.always(restore)

test.serial('nothing is wrong with a whole set-up, and the README shows that', async (t) => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, shown] = readme.match(
    /\$ npx grove-shared-cache doctor --env-file .env.local\n(.+?)```/s,
  )
  const { instance, prefix } = fleet(stack)
  await activatePrompt(stack.sql, { title: 'Grove narrator', payload: { identity: 'whole' } })
  for (const cache of [instance(), instance(), instance()]) {
    t.teardown(() => cache.close())
    await cache.fetchActiveSystemPrompt()
  }
  await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
  const environment = { ...stack.environment, FALLBACK_SYSTEM_PROMPT: 'Be helpful.' }
  const { status, stdout } = await runCommand(['doctor', '--key-prefix', prefix], environment)
  t.is(status, 0)
  const withoutNumbers = (text) => text.replace(/\d+(\.\d+)?/g, 'N').trim()
  t.is(withoutNumbers(stdout.replaceAll(prefix, 'grove')), withoutNumbers(shown))
})

test.serial('the key is wrong, or has expired', async (t) => {
  const wrong = { SUPABASE_SERVICE_ROLE_KEY: roleToken('service_role', 'of another project') }
  await isAll(t, wrong, 'fail', 'supabase', /^the key is not accepted \(status 401\): copy/)
  const body = JSON.stringify({ code: 'PGRST301', message: 'JWT expired canary' })
  stack.supabase.faults.set({ kind: 'status', code: 401, body })
  await isAll(t, {}, 'fail', 'supabase', /^the key is not accepted \(PGRST301: it has expired/)
})

test.serial('a variable of Supabase is missing, and another source stands in or not', async (t) => {
  const { SUPABASE_URL: url } = stack.environment
  await isAll(t, { SUPABASE_URL: undefined }, 'fail', 'variables', /^SUPABASE_URL .* is not set/)
  const noKey = { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: undefined }
  const missing = /but SUPABASE_SERVICE_ROLE_KEY .* is not: copy the project's service_role/
  await isAll(t, noKey, 'fail', 'variables', missing)
  const folder = mkdtempSync(join(tmpdir(), 'grove-doctor-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'prompt.json')
  writeFileSync(file, JSON.stringify({ title: 'Of a file', payload: { identity: 'I am' } }))
  const withFile = { ...noKey, SYSTEM_PROMPT_FILE: file }
  await isAll(t, withFile, 'warn', 'variables', /until then SYSTEM_PROMPT_FILE is read$/)
})

test.serial(
  'the anon key, which may not read the table, and which policies hide the rows from',
  async (t) => {
    const anon = { SUPABASE_SERVICE_ROLE_KEY: stack.supabase.anonKey }
    const denied = /^the key is accepted, but may not read system_prompts \(it is the anon key\)/
    await isAll(t, anon, 'fail', 'supabase', denied)
    await stack.sql('grant select on system_prompts to anon')
    try {
      const hidden = /because it is the anon key, which row-level security hides them from: copy/
      await isAll(t, anon, 'fail', 'row', hidden)
    } finally {
      await stack.sql('revoke select on system_prompts from anon')
    }
  },
)

test.serial('the URL is of something else, or its table is missing', async (t) => {
  const { url, stop } = await serve((request, response) => response.end('<html>canary</html>'))
  t.teardown(stop)
  const page = /^what answers is no Supabase REST API \(status 200\): SUPABASE_URL/
  await isAll(t, { SUPABASE_URL: url }, 'fail', 'supabase', page)
  const path = { SUPABASE_URL: `${stack.supabase.url}/elsewhere` }
  await isAll(t, path, 'fail', 'supabase', /is no Supabase REST API \(status 404\)/)
  const unknown = { SUPABASE_URL: 'https://no-such-project.invalid' }
  await isAll(t, unknown, 'fail', 'supabase', /^the host no-such-project.invalid is unknown/)
  await stack.sql('alter table system_prompts rename to elsewhere')
  try {
    await isAll(t, {}, 'fail', 'supabase', /^there is no table system_prompts/)
  } finally {
    await stack.sql('alter table elsewhere rename to system_prompts')
  }
  await stack.sql('alter table system_prompts rename column title to name')
  try {
    await isAll(t, {}, 'fail', 'supabase', /^system_prompts lacks a column: it needs id, title/)
  } finally {
    await stack.sql('alter table system_prompts rename column name to title')
  }
})

test.serial('Supabase hangs, is slow, or answers with an error', async (t) => {
  const { faults } = stack.supabase
  faults.set({ kind: 'hang' })
  const late = /does not answer within 1000 ms: look at the state of the project/
  await isAll(t, {}, 'fail', 'supabase', late, ['--timeout-ms', '1000'])
  faults.set({ kind: 'delay', ms: 2100, times: 2 })
  await isAll(t, {}, 'warn', 'supabase', /a read gives it 2000 ms/)
  faults.set({ kind: 'status', code: 540 })
  await isAll(t, {}, 'fail', 'supabase', /^answers with status 540: .*paused/)
  faults.set({ kind: 'reset' })
  await isAll(t, {}, 'fail', 'supabase', /^the connection to 127.0.0.1 broke off/)
})

test.serial('no row is active, there is none, or there are two', async (t) => {
  await stack.sql(`update system_prompts set status = 'draft'`)
  await isAll(t, {}, 'fail', 'row', /^no row of system_prompts is active: set the status/)
  await stack.sql('delete from system_prompts')
  await isAll(t, {}, 'fail', 'row', /^system_prompts has no rows: add one/)
  await restore()
  await stack.sql('drop index system_prompts_one_active')
  await stack.sql(
    `insert into system_prompts (title, status, payload) select 'Newer', 'active', payload from system_prompts`,
  )
  await isAll(t, {}, 'warn', 'row', /^more than one row .*"Newer", counts: leave one active/)
  await restore()
  await stack.sql(
    `create unique index system_prompts_one_active on system_prompts (status) where status = 'active'`,
  )
})

test.serial('the active row is no prompt', async (t) => {
  for (const [payload, problem] of [
    [{ identity: 5 }, 'section identity is not a string'],
    [['canary'], 'payload is not an object'],
    [{ boundaries: '' }, 'all sections of its payload are empty'],
  ]) {
    await stack.sql(`update system_prompts set payload = $1, title = E'Half\\na title'`, [
      JSON.stringify(payload),
    ])
    const said = new RegExp(`^the active row "Half a title" is no prompt \\(${problem}\\): `)
    await isAll(t, {}, 'fail', 'row', said)
  }
})

test.serial('a row without its time', async (t) => {
  await stack.sql('alter table system_prompts disable trigger all')
  await stack.sql('alter table system_prompts alter column updated_at drop not null')
  await stack.sql('update system_prompts set updated_at = null')
  await isAll(t, {}, 'warn', 'row', /"Whole" has no updated_at that is a time/)
  await stack.sql('delete from system_prompts')
  await stack.sql('alter table system_prompts alter column updated_at set not null')
  await stack.sql('alter table system_prompts enable trigger all')
})

test.serial('Redis holds another prompt than the one that is active', async (t) => {
  const { instance, prefix } = fleet(stack)
  const cache = instance()
  t.teardown(() => cache.close())
  await cache.fetchActiveSystemPrompt()
  await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
  await editActivePrompt(stack.sql, { identity: 'edited' })
  const changed = /^Redis holds another prompt .*`grove-shared-cache invalidate` mends it/
  await isAll(t, {}, 'warn', 'prompt', changed, ['--key-prefix', prefix])
  await cache.invalidateSystemPrompt()
  await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
  t.deepEqual(await wrongBy(t, stack.environment, ['--key-prefix', prefix]), [])
})

test.serial('a file that is no source', async (t) => {
  const noSupabase = { SUPABASE_URL: undefined, SUPABASE_SERVICE_ROLE_KEY: undefined }
  const missing = { ...noSupabase, SYSTEM_PROMPT_FILE: '/no/such/file' }
  await isAll(t, missing, 'fail', 'row', /^SYSTEM_PROMPT_FILE gives no prompt: .*cannot be read/)
})

test.serial('what is broken in both is said of both', async (t) => {
  const environment = {
    UPSTASH_REDIS_REST_TOKEN: 'canary-of-a-token',
    SUPABASE_SERVICE_ROLE_KEY: 'canary-of-a-key',
  }
  const wrong = await wrongBy(t, { ...stack.environment, ...environment })
  t.deepEqual(
    wrong.map(({ check }) => check),
    ['redis', 'supabase'],
  )
})
