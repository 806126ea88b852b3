// Whether the rights that docs/SECURITY.md gives are enough, and no more than that.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { promptCache } from '../dev/prompt-cache.mjs'
import { startPostgres } from '../dev/postgres.mjs'
import { startPostgrest } from '../dev/postgrest.mjs'
import { startRedis } from '../dev/redis.mjs'
import { roleToken } from '../dev/supabase.mjs'
import { startUpstash } from '../dev/upstash/server.mjs'
import { until } from '../dev/until.mjs'

const GUIDE = readFileSync(new URL('../docs/SECURITY.md', import.meta.url), 'utf8')
const PASSWORD = 'TOKEN'
/** What the bridge asks of Redis for itself, to count what would be billed. */
const OF_THE_BRIDGE = ['+command', '+info', '+multi', '+exec']

async function restrictedStore(t) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const [, rules] = GUIDE.match(/^ACL SETUSER grove (.+)$/m)
  const owner = redis.connect()
  await owner.call('ACL', 'SETUSER', 'grove', ...rules.split(' '), ...OF_THE_BRIDGE)
  const user = { username: 'grove', password: PASSWORD }
  const connect = (options) => redis.connect({ ...options, ...user, enableReadyCheck: false })
  const upstash = await startUpstash({ redis: { ...redis, connect } })
  t.teardown(() => upstash.stop())
  return { owner, upstash, user: connect() }
}

test('with the rights of the guide, prompts are read, stored, invalidated and pushed', async (t) => {
  const { upstash, owner } = await restrictedStore(t)
  const instance = () => {
    const cache = promptCache({
      upstashUrl: upstash.url,
      upstashToken: upstash.token,
      supabaseUrl: '',
      promptFile: new URL('support/prompt-row.json', import.meta.url).pathname,
      redisTimeoutMs: 5000,
      logLevel: 'silent',
    })
    t.teardown(() => cache.close())
    return cache
  }
  const [admin, other] = [instance(), instance()]
  for (const cache of [admin, other]) {
    await cache.fetchActiveSystemPrompt()
    await until(() => cache.stats().pushConnects === 1, 'the stream')
  }
  t.true((await admin.invalidateSystemPrompt()).shared)
  await until(() => other.stats().pushes === 1, 'the push')
  t.is((await other.fetchActiveSystemPromptConfig()).tier, 'redis')
  const { redis, fleet } = await other.debugSystemPrompt()
  t.like(redis, { reachable: true, error: null })
  t.is(fleet.length, 2)
  await until(() => owner.exists('grove:system-prompt:active'), 'the fill')
  // The claim expires, and what a stranger deleted is noticed: the commands that come seldom.
  await owner.del('grove:system-prompt:generation')
  await owner.del('grove:system-prompt:active', 'grove:system-prompt:loader')
  await until(async () => {
    await other.fetchActiveSystemPrompt()
    return owner.exists('grove:system-prompt:active')
  }, 'a minted generation')
  for (const cache of [admin, other]) {
    t.like(cache.stats(), { storeFaults: 0, publishesFailed: 0, invalidationsFailed: 0 })
  }
})

test('with the rights of the guide, nothing else can be done', async (t) => {
  const { user, owner } = await restrictedStore(t)
  await owner.set('secret', 'canary')
  for (const command of [
    ['get', 'secret'],
    ['set', 'secret', 'x'],
    ['del', 'secret'],
    ['mget', 'grove:system-prompt:active', 'secret'],
    ['eval', `return redis.call('get', KEYS[1])`, 1, 'secret'],
    ['eval', `return redis.call('get', 'secret')`, 0],
    ['publish', 'elsewhere', 'x'],
    ['subscribe', 'elsewhere'],
    ['keys', '*'],
    ['scan', 0],
    ['flushall'],
    ['config', 'get', '*'],
    ['acl', 'list'],
  ]) {
    await t.throwsAsync(
      user.call(...command),
      { message: /NOPERM|ACL|can't access/ },
      command.join(' '),
    )
  }
  t.is(await owner.get('secret'), 'canary')
})

test('the role of the guide reads the active prompt, and nothing else', async (t) => {
  const jwtSecret = 'of this test alone, thirty-two characters'
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const postgrest = await startPostgrest({ databaseUrl: postgres.url, jwtSecret })
  t.teardown(() => postgrest.stop())
  const [, guide] = GUIDE.match(/```sql\n(.+?)```/s)
  for (const statement of guide.trim().split('\n')) {
    // Supabase's own role, which this Postgres has not.
    if (!statement.includes('authenticator')) await postgres.sql(statement)
  }
  const authorization = `Bearer ${roleToken('prompt_reader', jwtSecret)}`
  const send = (query, options) =>
    fetch(`${postgrest.url}/system_prompts?${query}`, { headers: { authorization }, ...options })
  const rows = await (await send('select=status')).json()
  t.deepEqual(rows, [{ status: 'active' }])
  for (const method of ['PATCH', 'DELETE', 'POST']) {
    const headers = { authorization, 'content-type': 'application/json' }
    const { status } = await send('status=eq.active', { method, headers, body: '{"title":"x"}' })
    t.is(status, 403, method)
  }
})
