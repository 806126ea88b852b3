// Receipts of all instances, over the real store: who acknowledges, who is waited for, and what is refused.
import test from 'ava'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { freeze } from '../dev/storm/freezer.mjs'
import { until } from '../dev/until.mjs'
import { runTrials } from '../dev/receipts/trials.mjs'
import { problemsOf } from '../dev/receipts/report.mjs'
import { startInstances } from '../dev/instances.mjs'
import { fleet, listed, withStack } from './support/stack.mjs'

const stack = withStack(test)
const TIMEOUTS = { redisTimeoutMs: 500, sourceTimeoutMs: 2000 }
const ALL = { wait: 'all' }

test.afterEach.always(() => stack.upstash.faults.clear())

/** Instances that read, once receipts need not wait for others that the list may lack. */
async function readers(t, count, options) {
  const made = fleet(stack, { ...TIMEOUTS, ...options })
  const instances = Array.from({ length: count }, () => made.instance())
  t.teardown(() => Promise.all(instances.map((cache) => cache.close())))
  for (const cache of instances) await cache.fetchActiveSystemPrompt()
  for (const cache of instances) await listed(stack, made.prefix, cache)
  await stack.redis.hset(`${made.prefix}:members`, '~', 'whole')
  return { ...made, instances }
}

const members = async (prefix) =>
  (await stack.redis.hkeys(`${prefix}:members`)).filter((id) => id !== '~').toSorted()
const ids = (instances) => instances.map((cache) => cache.stats().instance).toSorted()
const connected = (instances) =>
  until(() => instances.every((cache) => cache.stats().push.connected), 'the streams')

test.serial('each instance acknowledges, and none waits for a lease', async (t) => {
  const { instances } = await readers(t, 4, { maxStalenessMs: 60_000 })
  await connected(instances)
  const [admin] = instances
  const receipt = await admin.invalidateSystemPrompt(ALL)
  t.deepEqual(receipt.instances.map(({ id }) => id).toSorted(), ids(instances))
  t.like(receipt.instances[0], { id: admin.stats().instance, confirmedAfterMs: 0, by: 'ack' })
  t.true(receipt.instances.every(({ by }) => by === 'ack'))
  const latest = Math.max(...receipt.instances.map(({ confirmedAfterMs }) => confirmedAfterMs))
  t.is(receipt.provenAfterMs, latest)
  for (const cache of instances) {
    const { tier, generation } = await cache.fetchActiveSystemPromptConfig()
    t.is(generation, receipt.generation)
    t.not(tier, 'stale')
  }
  const { fleet: listed } = await admin.debugSystemPrompt()
  t.deepEqual(
    listed.map(({ id, generation }) => [id, generation]),
    ids(instances).map((id) => [id, receipt.generation]),
  )
})

test.serial(
  'without a push an instance acknowledges when it asks, and is waited for if it does not',
  async (t) => {
    const { instances } = await readers(t, 3, { maxStalenessMs: 2000, push: false })
    const [admin, busy] = instances
    const reading = setInterval(() => busy.fetchActiveSystemPrompt(), 10)
    t.teardown(() => clearInterval(reading))
    // It asks again well before a lease has passed since the commit.
    await until(() => busy.stats().systemPrompt.leaseLeftMs < 1000, 'half of its lease to be over')
    const receipt = await admin.invalidateSystemPrompt(ALL)
    const by = Object.fromEntries(receipt.instances.map((one) => [one.id, one]))
    const [, ofBusy, ofIdle] = instances.map((cache) => by[cache.stats().instance])
    t.is(ofBusy.by, 'ack')
    t.like(ofIdle, { by: 'lease-expired', confirmedAfterMs: 2000 })
    t.is(receipt.provenAfterMs, 2000)
  },
)

test.serial('an instance that is closed is on the list no more', async (t) => {
  const { instances, prefix } = await readers(t, 2)
  const [admin, leaving] = instances
  await leaving.close()
  t.true(leaving.stats().closed)
  t.deepEqual(await members(prefix), [admin.stats().instance])
  const receipt = await admin.invalidateSystemPrompt(ALL)
  t.deepEqual(
    receipt.instances.map(({ id }) => id),
    [admin.stats().instance],
  )
})

test.serial(
  'an instance that died is waited for as long as its lease, and then taken off the list',
  async (t) => {
    const { instances, prefix } = await readers(t, 1, { maxStalenessMs: 300 })
    const dead = { applied: null, leaseMs: 400, at: Date.now() - 900_000 }
    await stack.redis.hset(`${prefix}:members`, 'dead', JSON.stringify(dead))
    const receipt = await instances[0].invalidateSystemPrompt(ALL)
    t.like(receipt.instances[1], { id: 'dead', by: 'lease-expired', confirmedAfterMs: 400 })
    const gone = async () => !(await members(prefix)).includes('dead')
    t.truthy(await until(gone, 'the dead one to be taken off'))
  },
)

test.serial('a list that may not be whole takes a lease', async (t) => {
  const { instances, prefix } = await readers(t, 2, { maxStalenessMs: 300, push: false })
  await stack.redis.del(`${prefix}:members`)
  const receipt = await instances[0].invalidateSystemPrompt(ALL)
  t.is(receipt.provenAfterMs, 300)
})

test.serial('timeoutMs ends the wait, and the receipt says what was not known', async (t) => {
  const { instances } = await readers(t, 2, { maxStalenessMs: 60_000, push: false })
  const receipt = await instances[0].invalidateSystemPrompt({ ...ALL, timeoutMs: 50 })
  t.is(receipt.provenAfterMs, null)
  t.like(receipt.instances[1], { by: null, confirmedAfterMs: null })
})

test.serial('a lease that ends with the wait is over', async (t) => {
  const { instances } = await readers(t, 2, { maxStalenessMs: 200, push: false })
  const receipt = await instances[0].invalidateSystemPrompt({ ...ALL, timeoutMs: 200 })
  t.like(receipt.instances[1], { by: 'lease-expired', confirmedAfterMs: 200 })
  t.is(receipt.provenAfterMs, 200)
})

test.serial('calls that come together share one watch', async (t) => {
  const { instances } = await readers(t, 2)
  await connected(instances)
  const before = stack.upstash.requests
  const receipts = await Promise.all(
    Array.from({ length: 200 }, () => instances[0].invalidateSystemPrompt(ALL)),
  )
  t.true(receipts.every(({ provenAfterMs }) => provenAfterMs !== null))
  t.true(new Set(receipts.map(({ generation }) => generation)).size <= 2)
  const requests = stack.upstash.requests - before
  t.true(requests < 60, `${requests} requests`)
})

test('without a shared cache nothing is proven', async (t) => {
  const { instance } = fleet(stack, { upstashUrl: '' })
  const cache = instance()
  const receipt = await cache.invalidateSystemPrompt(ALL)
  t.like(receipt, { shared: false, generation: null, provenAfterMs: null })
  t.deepEqual(receipt.instances, [{ id: cache.stats().instance, confirmedAfterMs: 0, by: 'ack' }])
  const { redis } = await cache.debugSystemPrompt()
  t.regex(redis.reason, /UPSTASH_REDIS_REST_URL/)
})

test('a receipt that is not waited for names no instances', async (t) => {
  const cache = fleet(stack).instance()
  for (const options of [undefined, {}, { wait: 'commit' }, { wait: undefined }]) {
    t.like(await cache.invalidateSystemPrompt(options), { instances: [], provenAfterMs: null })
  }
})

const MISTAKES = [
  [{ wait: 'some' }, /^option wait is "some": it must be 'commit' or 'all'$/],
  [{ wait: 'x'.repeat(99) }, /^option wait is a longer string: it must be/],
  [{ wait: true }, /^option wait is a boolean: it must be a string/],
  [{ wait: 'all', timeoutMs: 0 }, /^option timeoutMs is 0: .* from 1 to 3600000$/],
  [{ wait: 'all', timeoutMs: NaN }, /^option timeoutMs is NaN/],
  [{ wait: 'all', timeoutMs: '5' }, /^option timeoutMs is a string/],
  [{ timeoutMs: 5 }, /^option timeoutMs is given: it must come with wait: 'all'$/],
  [{ waitFor: 'all' }, /^option waitFor is not known: it must be one of wait, timeoutMs$/],
  ['all', /^options are a string: they must be an object$/],
  [null, /^options are null/],
]
test('wrong options reject, and nothing is invalidated', async (t) => {
  const cache = fleet(stack).instance()
  for (const [options, message] of MISTAKES) {
    await t.throwsAsync(cache.invalidateSystemPrompt(options), {
      code: 'ARGUMENT_INVALID',
      message,
    })
  }
  t.is(cache.stats().invalidations + cache.stats().invalidationsFailed, 0)
})

test.serial(
  'a frozen process is waited for as long as its lease, and an awake one acknowledges at once',
  async (t) => {
    await activatePrompt(stack.sql, { identity: 'before the freeze' })
    const { instance, prefix } = fleet(stack, TIMEOUTS)
    const admin = instance()
    t.teardown(() => admin.close())
    const servers = await startInstances({
      count: 2,
      environment: { ...stack.environment, CACHE_KEY_PREFIX: prefix },
    })
    t.teardown(() => Promise.all(servers.map((server) => server.stop())))
    for (const server of servers) await server.chat()
    await until(async () => (await members(prefix)).length === 2, 'both to be listed')
    await stack.redis.hset(`${prefix}:members`, '~', 'whole')
    const { instance: frozen } = await servers[0].debug()
    const thaw = freeze(servers[0].pid)
    const receipt = await admin.invalidateSystemPrompt(ALL)
    await thaw().over
    const others = receipt.instances.slice(1)
    t.is(others.length, 2)
    for (const { id, by, confirmedAfterMs } of others) {
      if (id === frozen) t.deepEqual([by, confirmedAfterMs], ['lease-expired', 1000])
      else t.true(by === 'ack' && confirmedAfterMs < 1000, `${by} after ${confirmedAfterMs} ms`)
    }
  },
)

test.serial(
  'of receipts with frozen and killed instances none is late, missing or contradicted',
  async (t) => {
    t.timeout(100_000)
    const results = await runTrials({ trials: 12, fleets: 2, size: 2, seed: 1 })
    t.deepEqual(problemsOf(results), [])
    t.is(results.trials.length, 12)
    t.true(results.reads > 1000)
  },
)
