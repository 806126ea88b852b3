// The main job: several instances share a prompt, and a change reaches all of them.
import { createHash } from 'node:crypto'
import test from 'ava'
import { activatePrompt, editActivePrompt } from '../dev/prompt-edits.mjs'
import { ASKING, fleet, listed, quiet, withStack } from './support/stack.mjs'
import { until } from '../dev/until.mjs'

const stack = withStack(test)

const text = (identity) => `## Identity\n${identity}`
const filled = ({ redis }, prefix) =>
  until(() => redis.exists(`${prefix}:system-prompt:active`), 'the fill')

test.serial('an instance loads from Supabase, the others hit Redis', async (t) => {
  const row = await activatePrompt(stack.sql, { title: 'First', payload: { identity: 'one' } })
  const { instance, prefix, lines } = fleet(stack)
  const [first, second] = [instance(), instance()]

  const loaded = await first.fetchActiveSystemPromptConfig()
  t.like(loaded, {
    content: text('one'),
    responseMode: 'architect',
    closingBehavior: 'navigation',
    useBreadcrumbTags: true,
    useTopicTags: true,
    useNavigationBlocks: true,
    source: 'supabase',
    title: 'First',
    tier: 'source',
  })
  t.is(Date.parse(loaded.version), row.updated_at.getTime(), 'the version is the row’s updated_at')
  t.true(Math.abs(Date.now() - loaded.fetchedAt) < 10_000)

  await filled(stack, prefix)
  t.deepEqual(await second.fetchActiveSystemPromptConfig(), { ...loaded, tier: 'redis' })
  t.is(await second.fetchActiveSystemPrompt(), text('one'))
  t.deepEqual(
    lines.filter(({ level }) => level !== 'debug').map(({ message }) => message),
    ['[SystemPrompt] Loaded from Supabase: "First"'],
  )
  t.true(lines.some(({ message }) => message === '[SystemPrompt] Cache hit (Redis)'))
})

test.serial('a change reaches every instance with the invalidation', async (t) => {
  await activatePrompt(stack.sql, { identity: 'before' })
  const { instance, lines } = fleet(stack)
  const instances = [instance(), instance(), instance()]
  for (const each of instances) t.is(await each.fetchActiveSystemPrompt(), text('before'))

  await activatePrompt(stack.sql, { identity: 'after' })
  const receipt = await instances[1].invalidateSystemPrompt()
  t.true(receipt.shared)
  t.true(Number.isSafeInteger(receipt.generation))
  t.true(Math.abs(Date.now() - receipt.committedAt) < 10_000)
  for (const each of instances) {
    const config = await until(async () => {
      const config = await each.fetchActiveSystemPromptConfig()
      return config.content === text('after') && config
    }, 'the change')
    t.is(config.generation, receipt.generation)
  }
  t.true(
    lines.some(
      ({ level, message }) =>
        level === 'info' && message === '[Cache] System prompt invalidated (Redis)',
    ),
  )
})

test.serial('the keys hold what the protocol says, and expire', async (t) => {
  await activatePrompt(stack.sql, {
    title: 'Keys',
    payload: { identity: 'kept', useTopicTags: false },
  })
  const { instance, prefix } = fleet(stack, { ttlSeconds: 77 })
  const cache = instance()
  const config = await cache.fetchActiveSystemPromptConfig()
  await filled(stack, prefix)
  await listed(stack, prefix, cache)

  t.is(await stack.redis.get(`${prefix}:system-prompt:active`), text('kept'))
  t.is(await stack.redis.get(`${prefix}:system-prompt:version`), config.version)
  const generation = await stack.redis.get(`${prefix}:system-prompt:generation`)
  const stored = JSON.parse(await stack.redis.get(`${prefix}:system-prompt:config`))
  t.like(stored, {
    version: config.version,
    sha256: createHash('sha256').update(text('kept')).digest('hex'),
    responseMode: 'architect',
    closingBehavior: 'navigation',
    useBreadcrumbTags: true,
    useTopicTags: false,
    useNavigationBlocks: true,
    title: 'Keys',
    source: 'supabase',
    filledAt: config.fetchedAt,
  })
  t.regex(stored.id, /^[0-9a-f-]{36}$/)
  for (const key of ['active', 'version', 'config']) {
    const ttl = await stack.redis.ttl(`${prefix}:system-prompt:${key}`)
    t.true(ttl > 70 && ttl <= 77, `${key} expires in ${ttl} s`)
  }
  t.is(await stack.redis.ttl(`${prefix}:system-prompt:generation`), -1, 'the generation stays')
  t.is(generation, stored.sequence.toString(), 'the fill made it of the sequence')
  t.is(await stack.redis.get(`${prefix}:sequence`), generation)
  for (const key of ['sequence', 'members']) {
    t.is(await stack.redis.ttl(`${prefix}:${key}`), -1, `and so does ${key}`)
  }
  const { '~': _, ...members } = await stack.redis.hgetall(`${prefix}:members`)
  const { instance: id } = cache.stats()
  t.deepEqual(Object.keys(members), [id])
  const { applied, leaseMs, at } = JSON.parse(members[id])
  t.is(leaseMs, 1000)
  t.true(applied === null || applied === config.generation)
  t.true(Math.abs(Date.now() - at) < 10_000)
  // A claim, which ends by itself.
  t.not(await stack.redis.pttl(`${prefix}:system-prompt:loader`), -1)
  await stack.redis.del(`${prefix}:system-prompt:loader`)
  t.deepEqual((await stack.redis.keys(`${prefix}:*`)).toSorted(), [
    `${prefix}:members`,
    `${prefix}:sequence`,
    ...['active', 'config', 'generation', 'version'].map((key) => `${prefix}:system-prompt:${key}`),
  ])
})

test.serial('an edit in place and another title arrive too', async (t) => {
  await activatePrompt(stack.sql, { identity: 'draft' })
  const { instance } = fleet(stack)
  const [admin, chat] = [instance(), instance()]
  await chat.fetchActiveSystemPrompt()
  await editActivePrompt(stack.sql, { identity: 'edited', closingBehavior: 'question' })
  const { provenAfterMs } = await admin.invalidateSystemPrompt({ wait: 'all' })
  t.not(provenAfterMs, null)
  t.like(await chat.fetchActiveSystemPromptConfig(), {
    content: text('edited'),
    closingBehavior: 'question',
  })
})

test.serial('what a stranger does to the keys is a miss and never an answer', async (t) => {
  await activatePrompt(stack.sql, { identity: 'real' })
  const { instance, prefix } = fleet(stack)
  /** As an instance that holds nothing yet meets it. */
  const cold = () => instance().fetchActiveSystemPromptConfig()
  const stranger = {
    'sets another prompt': () => stack.redis.set(`${prefix}:system-prompt:active`, 'injected'),
    'deletes the prompt': () => stack.redis.del(`${prefix}:system-prompt:active`),
    'deletes the config': () => stack.redis.del(`${prefix}:system-prompt:config`),
    'writes a config of its own': () =>
      stack.redis.set(`${prefix}:system-prompt:config`, '{"generation":1}'),
    'writes a config that is no JSON': () => stack.redis.set(`${prefix}:system-prompt:config`, 'x'),
    'makes a list of the prompt': async () => {
      await stack.redis.del(`${prefix}:system-prompt:active`)
      await stack.redis.rpush(`${prefix}:system-prompt:active`, 'x')
    },
    'stores bytes that are no text': () =>
      stack.redis.set(`${prefix}:system-prompt:active`, Buffer.from([0xff, 0xfe])),
    'moves the generation': () => stack.redis.set(`${prefix}:system-prompt:generation`, '12345'),
    'deletes the generation': () => stack.redis.del(`${prefix}:system-prompt:generation`),
    'flushes everything': () => stack.redis.flushall(),
  }
  for (const [deed, act] of Object.entries(stranger)) {
    await until(async () => (await cold()).tier === 'redis', 'a hit')
    await act()
    t.like(await cold(), { content: text('real'), tier: 'source' }, deed)
  }
})

test.serial('a prompt that a stranger deleted or replaced is stored again by itself', async (t) => {
  await activatePrompt(stack.sql, { identity: 'real' })
  // The check comes with every tenth of the time to live, and at least every nine seconds.
  const { instance, prefix } = fleet(stack, { ttlSeconds: 10 })
  const cache = instance()
  const stored = async () => {
    t.is(await cache.fetchActiveSystemPrompt(), text('real'))
    return (await stack.redis.get(`${prefix}:system-prompt:active`)) === text('real')
  }
  await until(stored, 'the fill')
  for (const act of ['del', 'set']) {
    await stack.redis[act](`${prefix}:system-prompt:active`, ...(act === 'set' ? ['injected'] : []))
    t.truthy(await until(stored, `the prompt after ${act}`))
  }
})

test.serial('under a lease no read costs a command, and a fresh one costs one', async (t) => {
  await activatePrompt(stack.sql, { identity: 'counted' })
  const { instance, prefix } = fleet(stack, { push: false })
  const [leased, asking] = [instance({ maxStalenessMs: 60_000 }), instance(ASKING)]
  await leased.fetchActiveSystemPrompt()
  await filled(stack, prefix)
  await asking.fetchActiveSystemPrompt()
  for (const cache of [leased, asking]) await listed(stack, prefix, cache)
  await quiet(stack)

  const before = stack.upstash.commands
  for (let read = 0; read < 1000; read++) await leased.fetchActiveSystemPrompt()
  t.is(stack.upstash.commands - before, 0)
  t.is((await leased.fetchActiveSystemPromptConfig()).tier, 'memory')

  const asked = stack.upstash.commands
  for (let read = 0; read < 10; read++) await asking.fetchActiveSystemPrompt()
  t.is(stack.upstash.commands - asked, 10, 'ten reads that ask are ten commands')
  t.is((await asking.fetchActiveSystemPromptConfig()).tier, 'redis')
})

test.serial('a hot instance sends about one command per lease, and an idle one none', async (t) => {
  await activatePrompt(stack.sql, { identity: 'hot' })
  const { instance, prefix } = fleet(stack, { push: false })
  const cache = instance()
  await cache.fetchActiveSystemPrompt()
  await filled(stack, prefix)

  const before = stack.upstash.commands
  const last = performance.now() + 5000
  while (performance.now() < last) {
    await cache.fetchActiveSystemPrompt()
    await new Promise(setImmediate)
  }
  const commands = stack.upstash.commands - before
  t.true(commands >= 4 && commands <= 6, `${commands} commands in five seconds`)
  t.true(cache.stats().memoryHits > 1000)
  const idle = stack.upstash.commands
  await new Promise((resolve) => setTimeout(resolve, 1500))
  t.is(stack.upstash.commands - idle, 0)
})

test.serial('readers at the same time share a load', async (t) => {
  const { instance } = fleet(stack, { push: false })
  const cache = instance()
  await Promise.all(Array.from({ length: 200 }, () => cache.fetchActiveSystemPrompt()))
  t.like(cache.stats(), { reads: 200, joined: 199, sourceReads: 1 })
})

test.serial('without an active row the fallback is served and nothing is stored', async (t) => {
  await stack.sql(`update system_prompts set status = 'archived' where status = 'active'`)
  const { instance, prefix } = fleet(stack, { fallbackPrompt: 'stand-in' })
  const cache = instance()
  t.like(await cache.fetchActiveSystemPromptConfig(), {
    content: 'stand-in',
    source: 'fallback',
    tier: 'fallback',
    version: null,
    title: null,
  })
  await quiet(stack)
  const keys = await stack.redis.keys(`${prefix}:system-prompt:*`)
  t.deepEqual(
    keys.filter((key) => !/:(generation|loader)$/.test(key)),
    [],
  )
  await activatePrompt(stack.sql, { identity: 'there again' })
  t.is(await cache.fetchActiveSystemPrompt(), text('there again'), 'found without an invalidation')
})

test.serial(
  'a payload that is no prompt is the fallback, with one warning that names the row',
  async (t) => {
    const { instance, prefix, lines } = fleet(stack, { fallbackPrompt: 'stand-in' })
    const cache = instance()
    for (const payload of ['"text"', '[1]', '{"identity": 5}', '{}']) {
      const [{ id }] = await stack.sql(
        `update system_prompts set payload = $1::text::jsonb where status = 'active' returning id`,
        [payload],
      )
      lines.length = 0
      await cache.invalidateSystemPrompt()
      for (let read = 0; read < 3; read++) t.is(await cache.fetchActiveSystemPrompt(), 'stand-in')
      const warnings = await until(() => {
        const warnings = lines.filter(({ level }) => level === 'warn')
        return warnings.length > 0 && warnings
      }, 'the warning')
      t.is(warnings.length, 1)
      t.true(warnings[0].message.includes(id), warnings[0].message)
    }
    t.is(await stack.redis.exists(`${prefix}:system-prompt:active`), 0)
  },
)

test.serial('a prompt of a mebibyte travels whole', async (t) => {
  const identity = '🌳 木 "é"\u2028'.repeat(60_000)
  await activatePrompt(stack.sql, { identity })
  const { instance, prefix } = fleet(stack, { redisTimeoutMs: 5000, sourceTimeoutMs: 10_000 })
  t.is(await instance().fetchActiveSystemPrompt(), text(identity))
  await filled(stack, prefix)
  const config = await instance().fetchActiveSystemPromptConfig()
  t.is(config.tier, 'redis')
  t.is(config.content, text(identity))
})

test.serial('debug shows a read, the store and the counters', async (t) => {
  const identity = 'x'.repeat(600)
  await activatePrompt(stack.sql, { title: 'Debug', payload: { identity } })
  const { instance, prefix } = fleet(stack, { push: false })
  const cache = instance()
  const receipt = await cache.invalidateSystemPrompt()
  await cache.fetchActiveSystemPrompt()
  await filled(stack, prefix)

  const debug = await cache.debugSystemPrompt()
  t.like(debug, {
    source: 'supabase',
    responseMode: 'architect',
    closingBehavior: 'navigation',
    useBreadcrumbTags: true,
    useTopicTags: true,
    useNavigationBlocks: true,
    contentLength: text(identity).length,
    contentPreview: `${text(identity).slice(0, 500)}...`,
    fullContent: text(identity),
    title: 'Debug',
    tier: 'memory',
  })
  t.is(new Date(debug.fetchedAt).toISOString(), debug.fetchedAt)
  t.like(debug.redis, {
    configured: true,
    reachable: true,
    generation: receipt.generation,
    error: null,
  })
  t.true(debug.redis.latencyMs > 0 && debug.redis.latencyMs < 5000)
  t.true(debug.redis.ttlSeconds > 290 && debug.redis.ttlSeconds <= 300)
  t.like(debug.counters, {
    reads: 2,
    memoryHits: 1,
    hits: 1,
    misses: 0,
    sourceReads: 1,
    fills: 1,
    invalidations: 1,
  })
  t.like(cache.stats(), debug.counters)
  const { redis, fleet: instances, systemPrompt, push, ...rest } = debug
  t.is(redis.reason, null)
  t.like(cache.stats(), {
    instance: rest.instance,
    hitRate: 0.5,
    closed: false,
    lastErrors: { redis: null, source: null, push: null },
  })
  t.true(systemPrompt.ageMs >= 0 && systemPrompt.leaseLeftMs > 0)
  t.is(systemPrompt.generation, receipt.generation)
  t.deepEqual(push, { enabled: false, connected: false, reconnects: 0, lastEventAgoMs: null })
  t.like(instances, [{ id: rest.instance, leaseMs: 1000, self: true }])
})
