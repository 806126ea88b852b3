// What `metrics()`, `stats()` and the fleet of `debugSystemPrompt()` say, beside what was done over the real parts.
import { randomUUID } from 'node:crypto'
import test from 'ava'
import * as grove from 'grove-shared-cache'

import { activatePrompt } from '../dev/prompt-edits.mjs'
import { until } from '../dev/until.mjs'
import { startUpstash } from '../dev/upstash/server.mjs'
import { fallen, readExposition, samplesOf, seriesOf, valueOf } from './support/prometheus.mjs'
import { ASKING, fleet, withStack } from './support/stack.mjs'

const stack = withStack(test)

/** Served from memory until something is told: no read but the first asks. */
const LEASED = { maxStalenessMs: 600_000, push: false }
const TIERS = ['memory', 'redis', 'source', 'stale', 'fallback']
const NOWHERE = 'http://127.0.0.1:9'

test.serial.before(() => activatePrompt(stack.sql, { identity: 'counted' }))

test.afterEach.always(() => {
  stack.upstash.faults.clear()
  stack.supabase.faults.clear()
})

/** A fleet whose instances are closed when the test is over. */
function closing(t, shared) {
  const { prefix, instance } = fleet(stack, { logLevel: 'silent', onLog: undefined, ...shared })
  return {
    prefix,
    instance(own) {
      const cache = instance(own)
      t.teardown(() => cache.close())
      return cache
    },
  }
}

async function read(cache, times = 1) {
  for (let count = 0; count < times; count += 1) await cache.fetchActiveSystemPrompt()
}

const value = (cache, name, labels) =>
  valueOf(readExposition(cache.metrics()), `grove_cache_${name}`, labels)

/** How many reads each tier answered; those that are not named none. */
function answered(t, cache, expected) {
  const counts = TIERS.map((tier) => [tier, value(cache, 'answers_total', { tier })])
  t.deepEqual(Object.fromEntries(counts.filter(([, count]) => count > 0)), expected)
}

const count = (cache, name, expected, labels) =>
  until(() => value(cache, name, labels) === expected, `${expected} ${name}`)

/** Until nothing is under way that the cache sent beside its first reads: it has stored the prompt, and is listed. */
async function settled(cache) {
  await until(async () => {
    const { fleet: listed, counters } = await cache.debugSystemPrompt()
    return listed.some(({ self }) => self) && counters.fills === counters.loaded
  }, 'what is sent beside')
}

test.serial('a page is in order whatever was done, and nothing on it falls', async (t) => {
  const keyPrefix = `test:${randomUUID()}:AZaz09._-`
  const { instance } = closing(t, { ...ASKING, keyPrefix })
  const cache = instance()
  await read(cache)
  const pages = [readExposition(cache.metrics())]
  for (const deed of [
    () => read(cache, 3),
    () => cache.invalidateSystemPrompt({ wait: 'all' }),
    () => {
      stack.upstash.faults.set({ kind: 'status', code: 503 })
      return read(cache, 2)
    },
    () => t.throwsAsync(cache.invalidateSystemPrompt(), { code: 'STORE_UNAVAILABLE' }),
    () => {
      stack.upstash.faults.clear()
      return read(cache)
    },
    () => cache.close(),
  ]) {
    await deed()
    pages.push(readExposition(cache.metrics()))
    const [before, after] = pages.slice(-2)
    t.deepEqual(fallen(before, after), [])
    t.deepEqual(samplesOf(after).map(seriesOf), samplesOf(before).map(seriesOf))
  }
  t.true(samplesOf(pages.at(-1)).every(({ labels }) => labels.cache === keyPrefix))
})

test.serial('a page has the numbers of stats()', async (t) => {
  const { instance } = closing(t, ASKING)
  const cache = instance()
  await read(cache, 2)
  await cache.invalidateSystemPrompt()
  await read(cache, 2)
  await cache.close()
  const stats = cache.stats()
  for (const [name, labels, expected] of [
    ['reads_total', {}, stats.reads],
    ['answers_total', { tier: 'memory' }, stats.memoryHits],
    ['answers_total', { tier: 'redis' }, stats.hits],
    ['answers_total', { tier: 'source' }, stats.loaded],
    ['answers_total', { tier: 'stale' }, stats.stale],
    ['answers_total', { tier: 'fallback' }, stats.fallbacks],
    ['joined_total', {}, stats.joined],
    ['source_reads_total', {}, stats.sourceReads],
    ['source_faults_total', {}, stats.sourceFaults],
    ['fills_total', { result: 'stored' }, stats.fills],
    ['fills_total', { result: 'refused' }, stats.fillsRefused],
    ['refreshes_total', {}, stats.refreshes],
    ['store_commands_total', {}, stats.storeCommands],
    ['store_faults_total', {}, stats.storeFaults],
    ['breaker_opened_total', {}, stats.breakerOpened],
    ['invalidations_total', { result: 'done' }, stats.invalidations],
    ['invalidations_total', { result: 'failed' }, stats.invalidationsFailed],
    ['publishes_failed_total', {}, stats.publishesFailed],
    ['pushes_total', {}, stats.pushes],
    ['push_connects_total', {}, stats.pushConnects],
  ]) {
    t.is(value(cache, name, labels), expected, `${name} ${JSON.stringify(labels)}`)
  }
  const misses = ['absent', 'foreign', 'signature'].map((reason) =>
    value(cache, 'misses_total', { reason }),
  )
  t.is(misses[0] + misses[1] + misses[2], stats.misses)
  t.deepEqual(misses.slice(1), [stats.foreign, stats.signaturesRefused])
})

test.serial('each read counts once, under the tier that answered it', async (t) => {
  const { instance } = closing(t, LEASED)
  const first = instance()
  await read(first, 4)
  answered(t, first, { source: 1, memory: 3 })
  t.is(value(first, 'reads_total'), 4)
  t.is(value(first, 'misses_total', { reason: 'absent' }), 1)
  t.is(value(first, 'source_reads_total'), 1)
  await count(first, 'fills_total', 1, { result: 'stored' })

  const asking = instance(ASKING)
  await read(asking, 3)
  answered(t, asking, { redis: 3 })
  t.is(value(asking, 'misses_total', { reason: 'absent' }), 0)
  await settled(asking)
  const redis = value(asking, 'answers_total', { tier: 'redis' })

  for (const { faults } of [stack.upstash, stack.supabase])
    faults.set({ kind: 'status', code: 503 })
  await read(asking)
  answered(t, asking, { redis, stale: 1 })
  t.is(value(asking, 'store_faults_total'), 1)
  t.is(value(asking, 'source_faults_total'), 1)

  const alone = instance({ upstashUrl: '', supabaseUrl: NOWHERE })
  await read(alone)
  answered(t, alone, { fallback: 1 })
  t.is(value(alone, 'reads_total'), 1)
})

test.serial('reads that share a load count as joined', async (t) => {
  const cache = closing(t, LEASED).instance()
  await Promise.all([read(cache), read(cache), read(cache)])
  t.is(value(cache, 'reads_total'), 3)
  t.is(value(cache, 'joined_total'), 2)
  answered(t, cache, { source: 1 })
})

test.serial('a miss counts with its reason', async (t) => {
  const { prefix, instance } = closing(t, LEASED)
  const filler = instance()
  await read(filler)
  await count(filler, 'fills_total', 1, { result: 'stored' })
  // Who finds the load claimed looks again, and counts each look.
  await stack.redis.del(`${prefix}:system-prompt:loader`)
  const signed = instance({ signingKey: 'k'.repeat(32) })
  await read(signed)
  t.is(value(signed, 'misses_total', { reason: 'signature' }), 1)
  await count(signed, 'fills_total', 1, { result: 'stored' })

  await stack.redis.set(`${prefix}:system-prompt:active`, 'of a stranger')
  await stack.redis.del(`${prefix}:system-prompt:loader`)
  const finder = instance()
  await read(finder)
  t.is(value(finder, 'misses_total', { reason: 'foreign' }), 1)
  t.is(value(finder, 'misses_total', { reason: 'absent' }), 0)
})

test.serial('a prompt that an invalidation overtook counts as refused', async (t) => {
  const { instance } = closing(t, LEASED)
  const [slow, admin] = [instance(), instance()]
  const { hits } = stack.supabase.faults
  stack.supabase.faults.set({ kind: 'delay', ms: 2000, times: 1 })
  const reading = read(slow)
  await until(() => stack.supabase.faults.hits > hits, 'the load')
  await admin.invalidateSystemPrompt()
  await reading
  await count(slow, 'fills_total', 1, { result: 'refused' })
  t.is(value(slow, 'fills_total', { result: 'stored' }), 0)
})

test.serial('a prompt that is loaded anew before it expires counts as a refresh', async (t) => {
  const { instance } = closing(t, { ...ASKING, ttlSeconds: 2, push: false })
  const cache = instance()
  await until(async () => {
    await read(cache)
    return value(cache, 'refreshes_total') > 0
  }, 'a refresh')
  const stored = () => value(cache, 'fills_total', { result: 'stored' })
  await until(() => stored() > value(cache, 'refreshes_total'), 'what was loaded')
  t.true(value(cache, 'source_reads_total') > value(cache, 'refreshes_total'))
})

test.serial('invalidations count as done or failed, and what is owed is shown', async (t) => {
  const { instance } = closing(t, LEASED)
  const cache = instance()
  await cache.invalidateSystemPrompt()
  await cache.invalidateSystemPrompt()
  t.is(value(cache, 'invalidations_total', { result: 'done' }), 2)

  stack.upstash.faults.set({ kind: 'status', code: 503 })
  await t.throwsAsync(cache.invalidateSystemPrompt(), { code: 'STORE_UNAVAILABLE' })
  t.is(value(cache, 'invalidations_total', { result: 'failed' }), 1)
  t.is(value(cache, 'invalidation_pending'), 1)
  t.true(cache.stats().invalidationPending)

  stack.upstash.faults.clear()
  await count(cache, 'invalidation_pending', 0)
  await count(cache, 'invalidations_total', 3, { result: 'done' })
  t.is(value(cache, 'invalidations_total', { result: 'failed' }), 1, 'the same one, made good')
})

test.serial('the push stream: opened, heard, broken, opened again, closed', async (t) => {
  const { instance } = closing(t, { maxStalenessMs: 600_000 })
  const cache = instance()
  const before = cache.stats().push
  t.deepEqual(before, { enabled: true, connected: false, reconnects: 0, lastEventAgoMs: null })
  t.is(value(cache, 'push_connected'), 0)
  await read(cache)
  await count(cache, 'push_connects_total', 1)
  t.is(value(cache, 'push_connected'), 1)

  const admin = instance({ push: false })
  for (const pushes of [1, 2]) {
    const { generation } = await admin.invalidateSystemPrompt()
    await count(cache, 'pushes_total', pushes)
    await read(cache)
    t.is(value(cache, 'sequence'), generation)
    t.is(cache.stats().systemPrompt.generation, generation)
  }
  t.false(admin.stats().push.enabled)

  stack.upstash.faults.killStreams()
  await until(async () => {
    await read(cache)
    return value(cache, 'push_connects_total') === 2
  }, 'the next stream')
  const { connected, reconnects, lastEventAgoMs } = cache.stats().push
  t.deepEqual([connected, reconnects], [true, 1])
  t.true(lastEventAgoMs >= 0 && lastEventAgoMs < 10_000)
  await until(() => cache.stats().push.lastEventAgoMs > lastEventAgoMs, 'some time')

  await cache.close()
  t.like(cache.stats(), { closed: true, push: { connected: false } })
  t.is(value(cache, 'push_connected'), 0)
})

test.serial('the breaker: open while Redis fails, half open while it is asked', async (t) => {
  const cache = closing(t, { ...ASKING, push: false }).instance()
  await read(cache)
  // A late answer would close the breaker again.
  await settled(cache)
  t.is(value(cache, 'breaker_state'), 0)
  t.is(cache.stats().breaker, 'closed')

  stack.upstash.faults.set({ kind: 'status', code: 401 })
  await read(cache)
  t.is(value(cache, 'breaker_state'), 2)
  t.is(value(cache, 'breaker_opened_total'), 1)
  t.like(cache.stats(), { breaker: 'open', lastErrors: { redis: 'unauthorized' } })

  const reaches = (state) =>
    until(async () => {
      await read(cache)
      return value(cache, 'breaker_state') === state
    }, `the state ${state}`)
  stack.upstash.faults.set({ kind: 'hang' })
  await reaches(1)
  t.is(cache.stats().breaker, 'half-open')
  stack.upstash.faults.clear()
  await reaches(0)
  t.is(value(cache, 'breaker_opened_total'), 1)
  t.is(cache.stats().lastErrors.redis, 'unauthorized', 'the last one stays')
})

test.serial('what answered is timed, and what did not is not', async (t) => {
  const { instance } = closing(t, { ...ASKING, push: false })
  const cache = instance()
  const slowed = async ({ faults }, ms) => {
    faults.set({ kind: 'delay', ms })
    await read(cache)
    faults.clear()
  }
  await slowed(stack.supabase, 60)
  t.is(value(cache, 'source_latency_seconds_count'), 1)
  t.is(value(cache, 'source_latency_seconds_bucket', { le: '0.05' }), 0)
  t.true(value(cache, 'source_latency_seconds_sum') >= 0.06)
  const first = value(cache, 'store_latency_seconds_count')
  t.true(first >= 1)

  await read(cache, 3)
  t.is(value(cache, 'store_latency_seconds_count'), first + 3)
  const [fast, sum] = [
    value(cache, 'store_latency_seconds_bucket', { le: '0.1' }),
    value(cache, 'store_latency_seconds_sum'),
  ]
  await slowed(stack.upstash, 120)
  t.is(value(cache, 'store_latency_seconds_count'), first + 4)
  t.is(value(cache, 'store_latency_seconds_bucket', { le: '0.1' }), fast)
  t.true(value(cache, 'store_latency_seconds_sum') >= sum + 0.12)

  for (const { faults } of [stack.upstash, stack.supabase])
    faults.set({ kind: 'status', code: 503 })
  await read(cache)
  t.is(value(cache, 'store_latency_seconds_count'), first + 4)
  t.is(value(cache, 'source_latency_seconds_count'), 1)
})

test.serial('staleness is counted at each renewal, and is within the bound', async (t) => {
  const cache = closing(t, { maxStalenessMs: 100, push: false }).instance()
  await read(cache)
  t.is(value(cache, 'staleness_seconds_count'), 0, 'nothing had been served before')
  for (const renewals of [1, 2, 3]) {
    // Nobody reads for longer than that: it is not served meanwhile.
    await until(() => cache.stats().systemPrompt.ageMs > 200, 'the end of the lease')
    await read(cache)
    t.is(value(cache, 'staleness_seconds_count'), renewals)
  }
  t.is(value(cache, 'staleness_seconds_bucket', { le: '0.1' }), 3)
  t.is(value(cache, 'staleness_seconds_sum'), 0.3)
})

test.serial('propagation is what the receipts say', async (t) => {
  const { instance } = closing(t, { maxStalenessMs: 1000 })
  const [admin, listener, deaf] = [instance(), instance(), instance({ push: false })]
  for (const cache of [admin, listener, deaf]) await read(cache)
  await admin.invalidateSystemPrompt()
  t.is(value(admin, 'propagation_seconds_count'), 0, 'nobody waited')

  const after = []
  for (const _ of [1, 2]) {
    const receipt = await admin.invalidateSystemPrompt({ wait: 'all' })
    t.is(receipt.instances.length, 3)
    after.push(...receipt.instances.map(({ confirmedAfterMs }) => confirmedAfterMs))
  }
  const sum = after.reduce((total, ms) => total + ms, 0) / 1000
  await count(admin, 'propagation_seconds_count', 4)
  // Its own is no news. Each is rounded to a microsecond, there and here.
  t.true(Math.abs(value(admin, 'propagation_seconds_sum') - sum) < 1e-4)
  t.is(value(admin, 'propagation_seconds_bucket', { le: '1' }), 4, 'within the bound')
  t.is(value(listener, 'propagation_seconds_count'), 0)
})

test.serial('two caches share no series, and their pages cannot be one', async (t) => {
  const caches = ['one', 'two'].map((name) =>
    closing(t, { keyPrefix: `test:${randomUUID()}:${name}` }).instance(),
  )
  for (const cache of caches) await read(cache)
  const pages = caches.map((cache) => cache.metrics())
  const [one, two] = pages.map((page) => samplesOf(readExposition(page)).map(seriesOf))
  t.deepEqual(
    one.filter((series) => two.includes(series)),
    [],
  )
  t.throws(() => readExposition(pages.join('')), { message: /a second HELP/ })
})

test.serial('the commands that are counted are those that are billed', async (t) => {
  // One of its own, so that nothing else is billed there.
  const upstash = await startUpstash({ redis: stack.store })
  t.teardown(() => upstash.stop())
  const store = { upstashUrl: upstash.url, upstashToken: upstash.token }
  const shared = { ...store, maxStalenessMs: 100, ttlSeconds: 2 }
  const { prefix, instance } = closing(t, shared)
  const caches = [instance(), instance(), instance({ push: false }), instance(ASKING)]
  const [admin, listener, , asking] = caches
  const commands = (name) => caches.reduce((sum, cache) => sum + cache.stats()[name], 0)
  const balanced = async (deed) => {
    const balance = () => commands('storeCommands') === upstash.commands
    await until(balance).catch(() => t.is(commands('storeCommands'), upstash.commands, deed))
    const scraped = (cache) => value(cache, 'store_commands_total')
    // What is sent beside a read may be counted between two looks.
    const same = (cache) => until(() => scraped(cache) === cache.stats().storeCommands)
    for (const cache of caches)
      await same(cache).catch(() => t.is(scraped(cache), cache.stats().storeCommands, deed))
  }
  for (const [deed, act] of Object.entries({
    'cold starts at once': () => Promise.all(caches.map((cache) => read(cache))),
    'reads that ask': () => read(asking, 5),
    'hits and renewals': () =>
      until(async () => {
        await read(listener)
        return listener.stats().hits > 5
      }),
    'a refresh': () =>
      until(async () => {
        for (const cache of caches) await read(cache)
        return commands('refreshes') > 0
      }),
    'a prompt that was deleted': async () => {
      await stack.redis.del(
        `${prefix}:system-prompt:active`,
        `${prefix}:system-prompt:version`,
        `${prefix}:system-prompt:config`,
      )
      for (const cache of caches) await read(cache)
    },
    'a generation that was deleted': async () => {
      await stack.redis.del(`${prefix}:system-prompt:generation`)
      await Promise.all(caches.map((cache) => read(cache)))
    },
    invalidations: async () => {
      for (const _ of [1, 2, 3]) await admin.invalidateSystemPrompt()
    },
    'invalidations at once': () =>
      Promise.all(caches.map((cache) => cache.invalidateSystemPrompt())),
    'a receipt of all': () => admin.invalidateSystemPrompt({ wait: 'all' }),
    'a receipt of one that is gone': async () => {
      const id = '0'.repeat(16)
      const gone = { applied: null, leaseMs: 100, at: 0 }
      await stack.redis.hset(`${prefix}:members`, id, JSON.stringify(gone))
      const { instances } = await admin.invalidateSystemPrompt({ wait: 'all' })
      t.is(instances.find((it) => it.id === id).by, 'lease-expired')
      const isListed = () => stack.redis.hexists(`${prefix}:members`, id)
      await until(async () => !(await isListed()), 'its removal')
    },
    'a fill that is refused': async () => {
      const { hits } = stack.supabase.faults
      await stack.redis.del(`${prefix}:system-prompt:active`)
      stack.supabase.faults.set({ kind: 'delay', ms: 1000, times: 1 })
      const reading = read(asking)
      await until(() => stack.supabase.faults.hits > hits, 'the load')
      await admin.invalidateSystemPrompt()
      await reading
      await count(asking, 'fills_total', 1, { result: 'refused' })
    },
    'what people are shown': () => Promise.all(caches.map((cache) => cache.debugSystemPrompt())),
    'a fleet that is lost': async () => {
      await stack.redis.del(`${prefix}:members`)
      await admin.invalidateSystemPrompt({ wait: 'all' })
      await until(async () => {
        for (const cache of caches) await read(cache)
        const ids = Object.keys(await stack.redis.hgetall(`${prefix}:members`))
        return caches.every((cache) => ids.includes(cache.stats().instance))
      }, 'the same fleet')
    },
    'the end': () => Promise.all(caches.map((cache) => cache.close())),
  })) {
    await act()
    await balanced(deed)
  }
  t.true(upstash.commands > 100)
})

test.serial('small JSON values are on the bill', async (t) => {
  const upstash = await startUpstash({ redis: stack.store })
  t.teardown(() => upstash.stop())
  grove.configure({
    upstashUrl: upstash.url,
    upstashToken: upstash.token,
    keyPrefix: `test:${randomUUID()}`,
    logLevel: 'silent',
  })
  t.teardown(() => grove.close())
  await grove.cache.set('metrics-test', { a: 1 })
  await grove.cache.get('metrics-test')
  await grove.cache.del('metrics-test')
  t.is(upstash.commands, 3)
  t.is(grove.stats().storeCommands, 3)
  t.is(value(grove, 'store_commands_total'), 3)
})

test.serial('stats() tells the hit rate, and what is in memory', async (t) => {
  const maxStalenessMs = 60_000
  const cache = closing(t, { ...LEASED, maxStalenessMs }).instance()
  t.like(cache.stats(), {
    closed: false,
    hitRate: null,
    near: { entries: 0, evictions: 0 },
    systemPrompt: { ageMs: null, leaseLeftMs: null, generation: null },
    lastErrors: { redis: null, source: null, push: null },
  })
  await read(cache, 4)
  const { hitRate, systemPrompt } = cache.stats()
  t.is(hitRate, 3 / 4)
  t.true(systemPrompt.ageMs > 0 && systemPrompt.ageMs < 30_000)
  t.true(systemPrompt.leaseLeftMs > 0 && systemPrompt.leaseLeftMs <= maxStalenessMs)
  await until(() => cache.stats().systemPrompt.ageMs > systemPrompt.ageMs, 'some time')
  t.true(cache.stats().systemPrompt.leaseLeftMs < systemPrompt.leaseLeftMs)

  const asked = cache.invalidateSystemPrompt()
  t.is(cache.stats().systemPrompt.leaseLeftMs, null, 'an invalidation ends it at the call')
  const { generation } = await asked
  await read(cache)
  t.is(cache.stats().systemPrompt.generation, generation)
})

for (const [fault, expected, ofTheStream = expected] of [
  // The stream has longer.
  [{ kind: 'hang' }, 'timeout', null],
  [{ kind: 'status', code: 403 }, 'unauthorized'],
  [{ kind: 'status', code: 429 }, 'quota'],
  [{ kind: 'status', code: 500 }, 'status'],
  [{ kind: 'garbage' }, 'malformed', 'interrupted'],
  [{ kind: 'redirect', location: 'http://127.0.0.1:9/' }, 'redirected'],
]) {
  test.serial(`the last error of each tier, in a word: ${expected}`, async (t) => {
    for (const { faults } of [stack.upstash, stack.supabase]) faults.set(fault)
    const soon = { redisTimeoutMs: 100, sourceTimeoutMs: 100 }
    const cache = closing(t, fault.kind === 'hang' ? soon : {}).instance()
    await read(cache)
    const { redis, source } = cache.stats().lastErrors
    t.deepEqual({ redis, source }, { redis: expected, source: expected })
    await until(() => cache.stats().lastErrors.push === ofTheStream, `${ofTheStream} of the stream`)
  })
}

test.serial('debugSystemPrompt() lists every instance once, and itself as such', async (t) => {
  const { instance } = closing(t, LEASED)
  const caches = [instance(), instance({ maxStalenessMs: 0 }), instance()]
  for (const cache of caches) await read(cache)
  await caches[0].invalidateSystemPrompt()
  for (const cache of caches) await read(cache)
  const ids = (list) => list.map((cache) => cache.stats().instance).toSorted()
  t.is(new Set(ids(caches)).size, 3)
  for (const cache of caches) {
    const { fleet: listed, instance: own } = await cache.debugSystemPrompt()
    t.is(own, cache.stats().instance)
    t.deepEqual(
      listed.map(({ id }) => id),
      ids(caches),
    )
    t.deepEqual(
      listed.filter(({ self }) => self).map(({ id }) => id),
      [own],
    )
  }
  const leases = async () => {
    const { fleet: listed } = await caches[0].debugSystemPrompt()
    return listed.find(({ id }) => id === caches[1].stats().instance)
  }
  t.is((await leases()).leaseMs, 0)

  await caches[2].close()
  t.true(caches[2].stats().closed)
  const left = await caches[0].debugSystemPrompt()
  t.deepEqual(
    left.fleet.map(({ id }) => id),
    ids(caches.slice(0, 2)),
  )
  t.is((await instance({ upstashUrl: '' }).debugSystemPrompt()).fleet, null)
})

const PAGE = `# HELP a_total One.
# TYPE a_total counter
a_total{b="1"} 1
a_total{b="2"} 2
# HELP h_seconds Two.
# TYPE h_seconds histogram
h_seconds_bucket{le="0.5"} 1
h_seconds_bucket{le="+Inf"} 2
h_seconds_sum 1.5
h_seconds_count 2
`
for (const [situation, from, to, message] of [
  ['no end of the last line', /\n$/, '', /does not end/],
  ['an empty line', '# HELP h', '\n# HELP h', /not of a_total|no sample/],
  ['a carriage return', ' 1\n', ' 1\r\n', /no sample/],
  ['no HELP', '# HELP h_seconds Two.\n', '', /not after its HELP/],
  ['no TYPE', '# TYPE h_seconds histogram\n', '', /not after a TYPE/],
  ['a second TYPE', /(# TYPE a.*\n)/, '$1$1', /a second TYPE/],
  ['a second HELP', '# HELP h_seconds', '# HELP a_total', /a second HELP/],
  ['a family in two places', /$/, 'a_total{b="3"} 1\n', /not of h_seconds/],
  ['another type', 'counter', 'count', /no type/],
  ['a counter of another name', /a_total/g, 'a', /ends in _total/],
  ['a name that is none', /a_total/g, '1_total', /no name/],
  ['a label that is none', '{b="1"}', '{b-c="1"}', /no sample/],
  ['a label of Prometheus itself', '{b="1"}', '{__b="1"}', /no sample/],
  ['a label twice', '{b="1"}', '{b="1",b="2"}', /no sample/],
  ['a label without quotes', '{b="1"}', '{b=1}', /no sample/],
  ['a quote that is not escaped', '{b="1"}', '{b="""}', /no sample/],
  ['another escape', '{b="1"}', '{b="\\t"}', /no sample/],
  ['a comma at the end', '{b="1"}', '{b="1",}', /no sample/],
  ['a value that is none', '"} 1\na', '"} one\na', /no sample/],
  ['a count below zero', '"} 1\na', '"} -1\na', /not a count/],
  ['a series twice', '{b="2"}', '{b="1"}', /twice/],
  ['a family without samples', /^a_total\{.*\n/gm, '', /has no sample/],
  ['bounds that descend', 'le="0.5"} 1', 'le="0.5"} 1\nh_seconds_bucket{le="0.1"} 1', /ascend/],
  ['buckets that descend', 'le="0.5"} 1', 'le="0.5"} 3', /not cumulative/],
  ['no last bucket', /.*Inf.*\n/, '', /not \+Inf/],
  ['another count', 'count 2', 'count 3', /not the count/],
  ['no sum', /.*_sum.*\n/, '', /no sum/],
]) {
  test(`a page is read strictly: ${situation}`, (t) => {
    const changed = PAGE.replace(from, to)
    t.not(changed, PAGE, 'nothing was changed')
    t.throws(() => readExposition(changed), { message })
  })
}

test('a page is read: escapes, and what fell since', (t) => {
  const page = readExposition(PAGE.replace('b="1"', String.raw`b="\"\\\n"`))
  t.is(valueOf(page, 'a_total', { b: '"\\\n' }), 1)
  t.throws(() => valueOf(page, 'a_total'), { message: /2 series/ })
  t.throws(() => valueOf(page, 'b_total'), { message: /0 series/ })
  const later = readExposition(PAGE.replace('b="2"} 2', 'b="2"} 1'))
  t.deepEqual(fallen(readExposition(PAGE), later), ['["a_total",["b","2"]]'])
  t.deepEqual(fallen(later, readExposition(PAGE)), [])
})
