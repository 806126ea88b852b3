// An invalidation of entries, of tags, of a resource or of all three reaches the other instances at once, and nothing else. Leases here
// are so long that only a push can end one in the time of a test. Over the real store.
import test from 'ava'

import { until } from '../../dev/until.mjs'
import { held, LEASED, listening, sharedFleet, sourceOf } from '../support/resources.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)
let redis
test.serial.before(() => {
  redis = store.store.connect()
})
test.afterEach.always(() => store.upstash.faults.clear())

const TAGS = { tags: (id) => [`hub:${id[0]}`, 'all'] }

/**
 * An instance with two resources over the same sources, whose stream is open, and which holds what is named under a lease.
 *
 * @returns {Promise<{ cache: import('grove-shared-cache').SharedCache, rag: object, lens: object }>}
 */
async function reader(cache, { rag, lens }, ids) {
  const made = cache()
  const both = {
    rag: made.resource({ name: 'rag', load: rag.load, ...TAGS }),
    lens: made.resource({ name: 'lens', load: lens.load, ...TAGS }),
  }
  await both.rag.get(ids[0])
  await listening(made)
  for (const id of ids) for (const resource of Object.values(both)) await held(resource, id)
  return { cache: made, ...both }
}

/** Two instances that hold `old` under each id of both resources; the sources have `new` from then on. */
async function twoReaders(t, ids = ['a1', 'a2', 'b1'], own = {}) {
  const { prefix, cache } = sharedFleet(t, store, { ...LEASED, ...own })
  const old = Object.fromEntries(ids.map((id) => [id, 'old']))
  const sources = { rag: sourceOf(old), lens: sourceOf(old) }
  const [admin, other] = [await reader(cache, sources, ids), await reader(cache, sources, ids)]
  for (const { values, loads } of Object.values(sources)) {
    for (const id of ids) values.set(id, 'new')
    loads.length = 0
  }
  return { prefix, fleet: cache, sources, admin, other, ids }
}

/** Which entries both instances serve anew, once the push arrived: `rag a1` and so on; all others are the old ones. */
async function changed(t, { admin, other, ids, sources }, expected) {
  const [resource, id] = expected[0].split(' ')
  await until(async () => (await other[resource].get(id)) === 'new', 'the push')
  for (const instance of [admin, other]) {
    const anew = []
    for (const name of ['rag', 'lens'])
      for (const each of ids)
        if ((await instance[name].get(each)) === 'new') anew.push(`${name} ${each}`)
    t.deepEqual(anew.toSorted(), [...expected].toSorted())
  }
  const loaded = Object.entries(sources).flatMap(([name, { loads }]) =>
    loads.map((each) => `${name} ${each}`),
  )
  t.deepEqual([...new Set(loaded)].toSorted(), [...expected].toSorted(), 'nothing else is loaded')
}

for (const [what, act, expected] of [
  ['one entry', ({ rag }) => rag.invalidate('a1'), ['rag a1']],
  ['two entries', ({ rag }) => rag.invalidate(['a1', 'b1']), ['rag a1', 'rag b1']],
  ['a resource', ({ lens }) => lens.invalidateAll(), ['lens a1', 'lens a2', 'lens b1']],
  [
    'a tag',
    ({ cache }) => cache.invalidate({ tags: ['hub:a'] }),
    ['rag a1', 'rag a2', 'lens a1', 'lens a2'],
  ],
  [
    'a tag that all have',
    ({ cache }) => cache.invalidate({ tags: ['all'] }),
    ['rag a1', 'rag a2', 'rag b1', 'lens a1', 'lens a2', 'lens b1'],
  ],
  [
    'entries of two resources',
    ({ cache }) => cache.invalidate({ entries: { rag: ['a1'], lens: ['b1'] } }),
    ['rag a1', 'lens b1'],
  ],
  [
    'a tag, an entry and a resource at once',
    ({ cache }) =>
      cache.invalidate({ tags: ['hub:b'], entries: { rag: ['a2'] }, resources: ['lens'] }),
    ['rag b1', 'rag a2', 'lens a1', 'lens a2', 'lens b1'],
  ],
]) {
  test.serial(`an invalidation of ${what} reaches both instances, and nothing else`, async (t) => {
    const readers = await twoReaders(t)
    const receipt = await act(readers.admin)
    t.true(receipt.shared)
    await changed(t, readers, expected)
  })
}

test.serial('who made an invalidation serves what is new from then on', async (t) => {
  const { admin } = await twoReaders(t)
  await admin.rag.invalidate('a1')
  t.is(await admin.rag.get('a1'), 'new')
  await admin.cache.invalidate({ tags: ['hub:a'] })
  t.is(await admin.lens.get('a2'), 'new')
})

test.serial('what nobody has a lease on is dropped from the store too', async (t) => {
  const { fleet, admin, sources } = await twoReaders(t)
  await admin.cache.invalidate({ tags: ['hub:a'], resources: ['rag'] })
  const cold = fleet()
  const rag = cold.resource({ name: 'rag', load: sources.rag.load, ...TAGS })
  const lens = cold.resource({ name: 'lens', load: sources.lens.load, ...TAGS })
  t.deepEqual(await rag.getMany(['a1', 'b1']), ['new', 'new'])
  t.deepEqual(await lens.getMany(['a1', 'b1']), ['new', 'old'])
})

test.serial('an instance without the resource can invalidate it', async (t) => {
  const { fleet, other } = await twoReaders(t)
  const admin = fleet()
  await admin.invalidate({ entries: { rag: ['a1'] } })
  await until(async () => (await other.rag.get('a1')) === 'new', 'the push')
  t.is(await other.lens.get('b1'), 'old')
  await admin.invalidate({ tags: ['hub:b'] })
  await until(async () => (await other.lens.get('b1')) === 'new', 'the push of the tag')
  t.is(await other.rag.get('a2'), 'old')
})

test.serial(
  'what has no entry yet can be invalidated, and other prefixes are not concerned',
  async (t) => {
    const { admin } = await twoReaders(t)
    const elsewhere = sharedFleet(t, store, LEASED).cache()
    const { shared } = await elsewhere.invalidate({
      tags: ['all', 'nobody’s: *'],
      entries: { rag: ['a1', '*', 'unknown'] },
      resources: ['lens', 'unknown'],
    })
    t.true(shared)
    t.is((await admin.rag.getEntry('a1')).tier, 'memory')
    t.is(await admin.lens.get('a1'), 'old')
  },
)

test.serial('a tag may be any text, and is not another one', async (t) => {
  const { cache } = sharedFleet(t, store, LEASED)
  const tags = [
    '*',
    'a:b',
    '%',
    '..',
    '\n',
    'é',
    '🌳',
    'x'.repeat(1024),
    'ü'.repeat(1024),
    'generation',
  ]
  const source = sourceOf(Object.fromEntries(tags.map((_, number) => [number, 'old'])))
  const shared = cache()
  const one = shared.resource({ name: 'one', load: source.load, tags: (id) => [tags[id]] })
  for (const number of tags.keys()) await one.get(number)
  for (const [number, tag] of tags.entries()) {
    source.loads.length = 0
    await shared.invalidate({ tags: [tag] })
    for (const each of tags.keys()) await one.get(each)
    t.deepEqual([...new Set(source.loads)], [String(number)])
  }
})

test.serial('what is named together is one command', async (t) => {
  const { cache } = sharedFleet(t, store, { ...LEASED, push: false })
  const admin = cache()
  // The first asks for whatever an instance needs once.
  await admin.invalidate({ tags: ['a'] })
  const requests = async (targets) => {
    const before = store.upstash.requests
    await admin.invalidate(targets)
    return store.upstash.requests - before
  }
  const one = await requests({ tags: ['a'] })
  const many = await requests({
    tags: ['a', 'b', 'c'],
    entries: { rag: Array.from({ length: 50 }, (_, id) => id), lens: ['x'] },
    resources: ['rag', 'lens', 'flags'],
  })
  t.is(many, one)
  t.is(admin.stats().invalidations, 3)
})

// Receipts

test.serial('a receipt has the generation, which grows, and the time of the commit', async (t) => {
  const { admin } = await twoReaders(t)
  const begun = Date.now()
  const first = await admin.rag.invalidate('a1')
  const second = await admin.rag.invalidateAll({ wait: 'commit' })
  t.true(Number.isSafeInteger(first.generation) && second.generation > first.generation)
  t.true(first.committedAt >= begun - 1000 && first.committedAt <= Date.now() + 1000)
  t.like(first, { shared: true, instances: [], provenAfterMs: null })
})

test.serial('a receipt of all proves it of each instance, the one that asked first', async (t) => {
  const { admin, other } = await twoReaders(t, undefined, { maxStalenessMs: 5000 })
  // Of a new list of instances it is not known for a lease whether it is whole.
  await admin.cache.invalidate({ tags: [] }, { wait: 'all' })
  const receipt = await admin.cache.invalidate(
    { tags: ['hub:a'], entries: { rag: ['b1'] } },
    { wait: 'all', timeoutMs: 30_000 },
  )
  const [own, ...others] = receipt.instances
  t.is(own.id, admin.cache.stats().instance)
  t.deepEqual(
    others.map(({ id, by }) => [id, by]),
    [[other.cache.stats().instance, 'ack']],
  )
  t.is(typeof receipt.provenAfterMs, 'number')
  t.is(await other.rag.get('b1'), 'new', 'it serves nothing older')
  t.is(await other.lens.get('a2'), 'new')
})

test.serial(
  'an invalidation with a wrong option is rejected, and nothing is invalidated',
  async (t) => {
    const { admin } = await twoReaders(t)
    for (const [options, message] of [
      [{ wait: 'some' }, /^option wait is "some"/],
      [{ wait: 'all', timeoutMs: 0 }, /^option timeoutMs is 0/],
      [{ timeoutMs: 5 }, /^option timeoutMs is given/],
      ['all', /^options are a string/],
    ]) {
      const expected = { code: 'ARGUMENT_INVALID', message }
      await t.throwsAsync(admin.rag.invalidate('a1', options), expected)
      await t.throwsAsync(admin.rag.invalidateAll(options), expected)
      await t.throwsAsync(admin.cache.invalidate({ tags: ['all'] }, options), expected)
    }
    t.is(await admin.rag.get('a1'), 'old')
    t.is(admin.cache.stats().invalidations, 0)
  },
)

// Failures

test.serial(
  'one that Redis does not take rejects, and goes through when Redis answers again',
  async (t) => {
    const readers = await twoReaders(t)
    const { admin, other } = readers
    store.upstash.faults.set({
      kind: 'status',
      code: 503,
      match: ({ method, url }) => method === 'POST' && !url.includes('subscribe'),
    })
    const error = await t.throwsAsync(admin.cache.invalidate({ tags: ['hub:a'] }), {
      code: 'STORE_UNAVAILABLE',
    })
    t.true(error.retryable)
    t.true(error.cause instanceof Error)
    t.true(admin.cache.stats().invalidationPending)
    t.is(await admin.rag.get('a1'), 'new', 'its own instance trusts the source alone')
    store.upstash.faults.clear()
    await until(() => !admin.cache.stats().invalidationPending, 'the invalidation to go through')
    await until(async () => (await other.rag.get('a1')) === 'new', 'the push')
    t.is(await other.rag.get('b1'), 'old')
  },
)

test.serial('the prompt of a cache is not concerned, and concerns no resource', async (t) => {
  const { prefix, admin, other } = await twoReaders(t, ['a1'], {
    promptFile: store.environment.SYSTEM_PROMPT_FILE,
  })
  const { systemPrompt } = admin.cache
  await systemPrompt.fetchActiveSystemPrompt()
  await until(() => redis.exists(`${prefix}:system-prompt:active`), 'the prompt')
  await admin.cache.invalidate({ tags: ['all'], resources: ['rag', 'lens'] })
  t.is(await redis.exists(`${prefix}:system-prompt:active`), 1)
  t.is((await systemPrompt.fetchActiveSystemPromptConfig()).tier, 'memory')
  await until(async () => (await other.rag.get('a1')) === 'new', 'the push')
  await held(other.rag, 'a1')
  const { pushes } = other.cache.stats()
  await systemPrompt.invalidateSystemPrompt()
  await until(() => other.cache.stats().pushes > pushes, 'the push of the prompt')
  t.is((await other.rag.getEntry('a1')).tier, 'memory')
})
