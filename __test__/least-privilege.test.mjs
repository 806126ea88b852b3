// Whether the rights that docs/SECURITY.md gives are enough, and no more than that.
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { SharedCache } from 'grove-shared-cache'
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
const OF_THE_BRIDGE = ['+command', '+info']
const RULES = GUIDE.match(/^ACL SETUSER grove (.+)$/m)[1].split(' ')

async function restrictedStore(t) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const owner = redis.connect()
  await owner.call('ACL', 'SETUSER', 'grove', ...RULES, ...OF_THE_BRIDGE)
  const user = { username: 'grove', password: PASSWORD }
  const connect = (options) => redis.connect({ ...options, ...user, enableReadyCheck: false })
  const upstash = await startUpstash({ redis: { ...redis, connect } })
  t.teardown(() => upstash.stop())
  return { owner, upstash, user: connect() }
}

/** Of each file in a folder of the engine. */
const sources = (folder) => {
  const url = new URL(`../src/${folder}/`, import.meta.url)
  return readdirSync(url, { recursive: true })
    .filter((name) => /\.(rs|lua)$/.test(name))
    .map((name) => readFileSync(new URL(name, url), 'utf8'))
}

test('the rights of the guide are the commands of the engine, in scripts and outside of them', (t) => {
  const engine = [...sources('store'), ...sources('push')].join('\n')
  const used = new Set()
  for (const pattern of [
    /Command::plain\(&\["([A-Z]+)"/g,
    /vec!\[\s*"([A-Z]+)"\.to_owned\(\)/g,
    /\bp?call\('([A-Z]+)'/g,
    /\/(multi)-(exec)"/g,
    /"?\/?(subscribe)\//g,
  ])
    for (const [, ...names] of engine.matchAll(pattern))
      for (const name of names) used.add(name.toLowerCase())
  const given = RULES.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1))
  t.deepEqual(given.toSorted(), [...used].toSorted())
})

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
  await until(() => owner.exists('grove:system-prompt:active'), 'the fill')
  // It is proven only if all that a receipt asks for may be done.
  const receipt = await admin.invalidateSystemPrompt({ wait: 'all' })
  t.true(receipt.shared)
  t.true(receipt.provenAfterMs >= 0)
  await until(() => other.stats().pushes === 1, 'the push')
  t.is((await other.fetchActiveSystemPromptConfig()).generation, receipt.generation)
  const { redis, fleet } = await other.debugSystemPrompt()
  t.like(redis, { reachable: true, error: null })
  t.is(fleet.length, 2)
  // What comes seldom: a member that says nothing is expelled, and a sequence that is gone begins anew.
  await owner.hset('grove:members', 'silent', JSON.stringify({ applied: 1, leaseMs: 1, at: 1 }))
  await admin.invalidateSystemPrompt({ wait: 'all' })
  await until(async () => !(await owner.hexists('grove:members', 'silent')), 'the expulsion')
  await owner.del('grove:sequence')
  await until(async () => {
    await other.fetchActiveSystemPrompt()
    return owner.exists('grove:sequence')
  }, 'a new sequence')
  for (const cache of [admin, other]) {
    await cache.close()
    t.like(cache.stats(), { storeFaults: 0, publishesFailed: 0, invalidationsFailed: 0 })
  }
  await until(async () => (await owner.hlen('grove:members')) === 1, 'nobody to be listed')
  t.deepEqual(await owner.hgetall('grove:members'), { '~': 'whole' })
  t.deepEqual(await owner.call('ACL', 'LOG'), [], 'what was refused')
})

test('whoever uses the cache for values of its own needs no more than their keys', async (t) => {
  const { upstash, owner } = await restrictedStore(t)
  await owner.call('ACL', 'SETUSER', 'grove', '~lenses:*')
  const cache = new SharedCache({
    upstashUrl: upstash.url,
    upstashToken: upstash.token,
    redisTimeoutMs: 5000,
    logLevel: 'silent',
  })
  t.teardown(() => cache.close())
  await cache.set('lenses:a', { focus: 1 }, 60)
  t.deepEqual(await cache.get('lenses:a'), { focus: 1 })
  t.true(await cache.del('lenses:a'))
  t.deepEqual(await owner.call('ACL', 'LOG'), [], 'what was refused')
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

// By itself: while its database starts, nothing else in this process is answered.
test.serial('the role of the guide reads the active prompt, and nothing else', async (t) => {
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
