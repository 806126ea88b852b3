// The push stream and the sync token that it carries, over the real bridge. Leases here are so long that only a push, or
// the stream being opened, can end one in the time of a test.
import test from 'ava'

import { activatePrompt } from '../dev/prompt-edits.mjs'
import { runProgram } from './support/program.mjs'
import { fleet, withStack } from './support/stack.mjs'
import { until } from '../dev/until.mjs'

const LAG_MS = 1500
const stack = withStack(test, { replica: { lagMs: 0 } })

const LEASED = { maxStalenessMs: 600_000 }
const text = (identity) => `## Identity\n${identity}`

test.afterEach.always(() => {
  stack.upstash.faults.clear()
  stack.upstash.faults.silenceStreams(false)
  stack.upstash.faults.frameStreams()
  stack.replica.setLag(0)
})

/** An instance whose stream is open and which holds `identity` under a long lease. */
async function listening(instance, identity) {
  const cache = instance(LEASED)
  await cache.fetchActiveSystemPrompt()
  await until(() => cache.stats().pushConnects === 1, 'the stream')
  await holds(cache, identity)
  return cache
}

async function holds(cache, identity) {
  const leased = async () => {
    const { tier, content } = await cache.fetchActiveSystemPromptConfig()
    return tier === 'memory' && content === text(identity)
  }
  await until(leased, `${identity} under a lease`)
}

test.serial('a change is pushed to an instance whose lease would last for minutes', async (t) => {
  await activatePrompt(stack.sql, { identity: 'old' })
  const { instance } = fleet(stack)
  const listener = await listening(instance, 'old')
  const deaf = instance({ ...LEASED, push: false })
  t.is(await deaf.fetchActiveSystemPrompt(), text('old'))

  await activatePrompt(stack.sql, { identity: 'new' })
  const { generation } = await instance().invalidateSystemPrompt()
  await until(() => listener.stats().pushes > 0, 'the push')
  t.like(await listener.fetchActiveSystemPromptConfig(), {
    content: text('new'),
    generation,
    tier: 'redis',
  })
  t.is(await deaf.fetchActiveSystemPrompt(), text('old'), 'nobody told it')
  t.is(deaf.stats().pushConnects, 0)
})

test.serial(
  'whoever listens finds the new prompt stored, and need not ask the source',
  async (t) => {
    await activatePrompt(stack.sql, { identity: 'old' })
    const { instance } = fleet(stack)
    const admin = instance()
    const listeners = [await listening(instance, 'old'), await listening(instance, 'old')]
    const before = listeners.map((cache) => cache.stats().sourceReads)
    await activatePrompt(stack.sql, { identity: 'new' })
    await admin.invalidateSystemPrompt()
    for (const [index, cache] of listeners.entries()) {
      await until(() => cache.stats().pushes > 0, 'the push')
      t.is(await cache.fetchActiveSystemPrompt(), text('new'))
      t.is(cache.stats().sourceReads, before[index])
    }
    t.is(admin.stats().sourceReads, 1)
  },
)

for (const [name, framing] of Object.entries({
  'one byte at a time': { chunk: 1 },
  'with CRLF': { ending: '\r\n\r\n' },
  'without blank lines': { ending: '\n' },
  'between comments': { comments: true },
})) {
  test.serial(`events that come ${name} are read`, async (t) => {
    await activatePrompt(stack.sql, { identity: 'old' })
    stack.upstash.faults.frameStreams(framing)
    const { instance } = fleet(stack)
    const cache = await listening(instance, 'old')
    await activatePrompt(stack.sql, { identity: 'new' })
    await instance().invalidateSystemPrompt()
    await until(() => cache.stats().pushes > 0, 'the push')
    t.is(await cache.fetchActiveSystemPrompt(), text('new'))
  })
}

for (const reset of [false, true]) {
  test.serial(
    `a stream that ${reset ? 'breaks' : 'ends'} is opened again, and what it missed is seen`,
    async (t) => {
      await activatePrompt(stack.sql, { identity: 'old' })
      const { instance } = fleet(stack)
      const cache = await listening(instance, 'old')
      // Mute, so that nothing tells of the change but the stream being opened again.
      stack.upstash.faults.silenceStreams()
      await activatePrompt(stack.sql, { identity: 'new' })
      await instance().invalidateSystemPrompt()
      t.is(await cache.fetchActiveSystemPrompt(), text('old'), 'the push got lost')
      stack.upstash.faults.silenceStreams(false)
      stack.upstash.faults.killStreams({ reset })
      const news = async () => (await cache.fetchActiveSystemPrompt()) === text('new')
      t.truthy(await until(news, 'what was missed'))
      await until(async () => {
        await cache.fetchActiveSystemPrompt()
        return cache.stats().pushConnects === 2
      }, 'the next stream')
    },
  )
}

test.serial('a store without streams is told once, and everything else goes on', async (t) => {
  await activatePrompt(stack.sql, { identity: 'old' })
  stack.upstash.faults.set({
    kind: 'status',
    code: 404,
    match: ({ url }) => url.startsWith('/subscribe'),
  })
  const { instance, lines } = fleet(stack)
  const cache = instance()
  await cache.fetchActiveSystemPrompt()
  const subscribed = stack.upstash.faults.hits
  await until(async () => {
    t.is(await cache.fetchActiveSystemPrompt(), text('old'))
    return stack.upstash.faults.hits - subscribed >= 2
  }, 'two more attempts')
  const told = lines.filter(({ message }) => message.includes('Push stream'))
  t.deepEqual(told, [
    {
      level: 'warn',
      message: '[Cache] Push stream unavailable (status 404); changes are seen when a lease ends',
    },
  ])
  t.false((await cache.debugSystemPrompt()).redis.pushConnected)
  stack.upstash.faults.clear()
  await until(async () => {
    await cache.fetchActiveSystemPrompt()
    return lines.some(({ message }) => message.includes('Push stream open'))
  }, 'the stream')
  t.true((await cache.debugSystemPrompt()).redis.pushConnected)
})

test.serial('nonsense on the channel changes nothing', async (t) => {
  await activatePrompt(stack.sql, { identity: 'kept' })
  const { instance, prefix } = fleet(stack)
  const cache = await listening(instance, 'kept')
  for (const nonsense of ['', 'x', '{"v":9}', '{"v":2,"sequence":{}}', 'ü'.repeat(100_000)]) {
    await stack.redis.publish(`${prefix}:events`, nonsense)
  }
  await until(() => cache.stats().pushes >= 4, 'the messages')
  t.like(await cache.fetchActiveSystemPromptConfig(), { content: text('kept'), tier: 'memory' })
  await activatePrompt(stack.sql, { identity: 'new' })
  await instance().invalidateSystemPrompt()
  await holds(cache, 'new')
})

test.serial('a closed cache leaves its stream', async (t) => {
  await activatePrompt(stack.sql, { identity: 'closed' })
  const { instance, prefix } = fleet(stack)
  const cache = await listening(instance, 'closed')
  const subscribers = async () => (await stack.redis.pubsub('NUMSUB', `${prefix}:events`))[1]
  t.is(await subscribers(), 1)
  await cache.close()
  await until(async () => (await subscribers()) === 0, 'the end of the subscription')
  t.pass()
})

test.serial('an open stream does not keep the process alive', async (t) => {
  await activatePrompt(stack.sql, { identity: 'gone' })
  const program = `
    import { fetchActiveSystemPrompt, stats } from 'grove-shared-cache'
    console.log(await fetchActiveSystemPrompt())
    while (stats().pushConnects === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    console.log('connected')`
  const { status, stdout } = await runProgram(program, {
    environment: {
      UPSTASH_REDIS_REST_URL: stack.upstash.url,
      UPSTASH_REDIS_REST_TOKEN: stack.upstash.token,
      SUPABASE_URL: stack.supabase.url,
      SUPABASE_SERVICE_ROLE_KEY: stack.supabase.serviceKey,
    },
  })
  t.is(status, 0)
  t.regex(stdout, /connected\s*$/)
})

test.serial('a replica that lags does not answer an instance that was told', async (t) => {
  await activatePrompt(stack.sql, { identity: 'old' })
  const { instance } = fleet(stack)
  const told = await listening(instance, 'old')
  const admin = instance(LEASED)
  t.is(await admin.fetchActiveSystemPrompt(), text('old'))

  stack.replica.setLag(LAG_MS)
  await activatePrompt(stack.sql, { identity: 'new' })
  await admin.invalidateSystemPrompt()
  await until(() => told.stats().pushes > 0, 'the push')
  const before = told.stats()
  const begun = performance.now()
  t.is(await told.fetchActiveSystemPrompt(), text('new'), 'who was told')
  t.true(performance.now() - begun > LAG_MS / 3, 'it waited for the replica')
  t.is(told.stats().sourceReads, before.sourceReads, 'and was given what is stored')
  t.is(await admin.fetchActiveSystemPrompt(), text('new'), 'who made it')
})
