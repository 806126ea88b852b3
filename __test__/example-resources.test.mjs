// The lenses of the Express example and their webhook, as clients and Supabase see them: real processes, over the real stack.
import { randomUUID } from 'node:crypto'
import test from 'ava'
import { startInstances } from '../dev/instances.mjs'
import { editLens } from '../dev/lens-edits.mjs'
import { measurePropagation } from '../dev/propagation.mjs'
import { readExposition } from './support/prometheus.mjs'
import { withStack } from './support/stack.mjs'

const SECRET = 'a webhook secret of 32 characters'
const BOUND_MS = 1000

const stack = withStack(test)

// The tests share one table and two fault switches, hence test.serial below.
test.afterEach.always(() => {
  stack.upstash.faults.clear()
  stack.supabase.faults.clear()
})

/** Instances on the stack, on keys that no other test uses; they end with the test. */
async function fleet(t, { count = 1, ...environment } = {}) {
  const own = { CACHE_KEY_PREFIX: `test:${randomUUID()}`, SUPABASE_WEBHOOK_SECRET: SECRET }
  const instances = await startInstances({
    count,
    environment: { ...stack.environment, ...own, ...environment },
  })
  t.teardown(() => Promise.all(instances.map((instance) => instance.stop())))
  return instances
}

async function send(instance, body, headers = { authorization: `Bearer ${SECRET}` }) {
  const response = await fetch(`${instance.url}/hooks/supabase`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, text: await response.text() }
}

async function post(instance, body) {
  const response = await fetch(`${instance.url}/api/cache/invalidate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

const stateOf = async ({ url }) => (await (await fetch(`${url}/console/state`)).json()).resources

/** How a change arrives at all of them. */
const arrivalsOf = (instances, title, invalidate) =>
  measurePropagation({
    instances,
    through: instances[0],
    invalidate,
    ask: (instance) => instance.lens('story'),
    isNew: ({ lens }) => lens.title === title,
  })

test.serial('a lens is a row of the table, and there is none that is not in it', async (t) => {
  await editLens(stack.sql, 'story', 'Through a tale')
  const [instance] = await fleet(t)
  const { lens, tier, generation } = await instance.lens('story')
  t.like(lens, { id: 'story', title: 'Through a tale', payload: { depth: 2 } })
  t.is(tier, 'source')
  t.regex(generation, /^\d+$/)
  const statusOf = async (id) => (await fetch(`${instance.url}/api/lens/${id}`)).status
  t.is(await statusOf('nothing'), 404)
  t.is(await statusOf('x'.repeat(513)), 400)
})

test.serial('an edit whose webhook goes to one instance is served by all three', async (t) => {
  const instances = await fleet(t, { count: 3 })
  for (const instance of instances) await instance.lens('story')
  for (const through of instances) {
    const title = `Through ${through.name}`
    const change = await editLens(stack.sql, 'story', title)
    const order = [through, ...instances.filter((instance) => instance !== through)]
    const { receipt, arrivals } = await arrivalsOf(order, title, (instance) =>
      instance.webhook(change, SECRET),
    )
    t.is(receipt.invalidated.entries, 1)
    for (const { instance, afterMs } of arrivals)
      t.true(afterMs !== null && afterMs < BOUND_MS, `${instance.name}: ${afterMs} ms`)
  }
})

test.serial('only who has the secret is heard, and nobody without one', async (t) => {
  const [instance] = await fleet(t)
  const change = await editLens(stack.sql, 'story', 'Through a wall')
  for (const headers of [
    {},
    { authorization: 'Bearer wrong' },
    { 'x-webhook-secret': `${SECRET}x` },
  ]) {
    const { status, text } = await send(instance, change, headers)
    t.is(status, 401)
    t.false(text.includes(SECRET) || text.includes('a wall'))
  }
  t.is((await send(instance, change, { 'x-webhook-secret': SECRET })).status, 200)
  t.is((await send(instance, '{"type"')).status, 400)
  t.is((await send(instance, 'x'.repeat(1024 * 1024 + 1))).status, 413)
  const [without] = await fleet(t, { SUPABASE_WEBHOOK_SECRET: '' })
  t.is((await send(without, change)).status, 500)
})

test.serial('a change of another table concerns no lens, and is no news', async (t) => {
  const [instance] = await fleet(t)
  await instance.lens('story')
  const record = { id: 'story' }
  const other = { type: 'INSERT', schema: 'public', table: 'visits', record, old_record: null }
  const { status, text } = await send(instance, other)
  t.is(status, 200)
  t.like(JSON.parse(text), { invalidated: { entries: 0, resources: 0 } })
  t.not((await instance.lens('story')).tier, 'source')
})

test.serial('the invalidate route drops lenses by their ids, or all of them', async (t) => {
  const instances = await fleet(t, { count: 2 })
  const [instance] = instances
  for (const [body, title] of [
    [{ type: 'lens', ids: ['story'] }, 'Through a door'],
    [{ type: 'lens' }, 'Through a window'],
  ]) {
    for (const each of instances) await each.lens('story')
    await editLens(stack.sql, 'story', title)
    const { status, body: answer } = await post(instance, body)
    t.is(status, 200, JSON.stringify(answer))
    t.like(answer, { success: true, invalidated: 'lens', shared: true })
    t.true(answer.provenAfterMs <= BOUND_MS)
    for (const each of instances) t.is((await each.lens('story')).lens.title, title)
  }
  for (const ids of [[], 'story', [7], [''], ['x'.repeat(513)]])
    t.is((await post(instance, { type: 'lens', ids })).status, 400, JSON.stringify(ids))
})

test.serial('the console is told what was given out and what was dropped', async (t) => {
  const [instance] = await fleet(t)
  t.deepEqual(await stateOf(instance), { lenses: [], changes: [] })
  for (const id of ['story', 'numbers', 'story']) await instance.lens(id)
  await send(instance, await editLens(stack.sql, 'story', 'Through a mirror'))
  await send(instance, { type: 'TRUNCATE', schema: 'public', table: 'lenses' }, {})
  await post(instance, { type: 'lens' })
  const { lenses, changes } = await stateOf(instance)
  t.deepEqual(
    lenses.map(({ id }) => id),
    ['story', 'numbers'],
  )
  for (const { agoMs } of [...lenses, ...changes]) t.true(agoMs >= 0 && agoMs < 10_000)
  t.deepEqual(
    changes.map(({ by, what, entries, resources }) => [by, what, entries, resources]),
    [
      ['route', 'all lenses', 0, 1],
      ['webhook', 'UPDATE lenses', 1, 0],
    ],
    'what was not verified is not among them',
  )
})

test.serial('without the store a webhook is to be sent again', async (t) => {
  const [instance] = await fleet(t)
  const change = await editLens(stack.sql, 'story', 'Through a storm')
  stack.upstash.faults.set({ kind: 'status', code: 503 })
  t.is((await send(instance, change)).status, 503)
  t.is((await post(instance, { type: 'lens' })).status, 500)
  t.is((await instance.lens('story')).lens.title, 'Through a storm')
  stack.upstash.faults.clear()
  t.is((await send(instance, change)).status, 200)
})

test.serial('without store and source there is a lens that stands in', async (t) => {
  const [instance] = await fleet(t)
  stack.upstash.faults.set({ kind: 'status', code: 503 })
  stack.supabase.faults.set({ kind: 'status', code: 503 })
  t.like(await instance.lens('story'), { lens: { id: 'plain' }, tier: 'fallback' })
})

test.serial('the metrics of the prompt and those of resources are one page', async (t) => {
  const [instance] = await fleet(t)
  await instance.chat()
  await instance.lens('story')
  const response = await fetch(`${instance.url}/metrics`)
  t.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const { samples } = readExposition(await response.text()).get('grove_cache_reads_total')
  t.deepEqual(
    samples.map(({ labels, value }) => [labels.resource, value]),
    [
      ['system-prompt', 1],
      ['lens', 1],
    ],
  )
})
