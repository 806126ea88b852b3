// From SQL to every process: a trigger, a webhook, an invalidation, and what each instance serves then.
import test from 'ava'
import { startFleet } from '../dev/webhooks/fleet.mjs'
import { bodyOf, signed } from './support/webhooks.mjs'

const SIZE = 3
let fleet

test.serial.before(async (t) => {
  t.timeout(60_000)
  fleet = await startFleet({ size: SIZE })
  await fleet.commit(`insert into documents values
    ('1', 'seven', 'one'), ('2', 'seven', 'two'), ('3', 'eight', 'three')`)
  for (const hub of ['seven', 'eight', 'nobody']) await fleet.watch('documents', hub)
  await fleet.watch('count', 'all')
})
test.after.always(() => fleet?.stop())

/** Until each instance serves these documents of a hub; fails if one does not. */
async function serves(t, hub, documents) {
  const rows = Object.entries(documents).map(([id, body]) => ({ id, body }))
  const seen = await fleet.seen('documents', hub, rows)
  t.false(seen.includes(null), `${hub}: ${JSON.stringify(rows)}`)
  return seen
}

async function counts(t, number) {
  t.false((await fleet.seen('count', 'all', number)).includes(null), `${number} documents`)
}

const before = { 1: 'one', 2: 'two' }
test.serial('an UPDATE reaches every process, within a second of its webhook', async (t) => {
  await serves(t, 'seven', before)
  await serves(t, 'eight', { 3: 'three' })
  const { toMs } = await fleet.commit(`update documents set body = 'ONE' where id = '1'`)
  const seen = await serves(t, 'seven', { 1: 'ONE', 2: 'two' })
  const lateMs = Math.max(...seen) - toMs
  t.true(lateMs < 1000, `${lateMs} ms`)
  t.deepEqual(
    fleet.history('documents', 'eight'),
    Array(SIZE).fill([[{ id: '3', body: 'three' }]]),
    'what it does not concern is as it was',
  )
})

test.serial(
  'a row that moves changes the hub that it leaves, and the one that it comes to',
  async (t) => {
    await fleet.commit(`update documents set hub_id = 'eight' where id = '2'`)
    await serves(t, 'seven', { 1: 'ONE' })
    await serves(t, 'eight', { 2: 'two', 3: 'three' })
  },
)

test.serial(
  'an INSERT and a DELETE change what has no map, by the tag of their table',
  async (t) => {
    await counts(t, 3)
    await fleet.commit(`insert into documents values ('4', 'nobody', 'four')`)
    await counts(t, 4)
    await serves(t, 'nobody', { 4: 'four' })
    await fleet.commit(`delete from documents where id = '4'`)
    await counts(t, 3)
    await serves(t, 'nobody', {})
  },
)

test.serial('what is rolled back, or changes nothing, is not heard of', async (t) => {
  const posted = await fleet.answers()
  await fleet.rollBack('delete from documents')
  await fleet.commit('update documents set body = body')
  t.deepEqual(await fleet.answers(), posted)
})

test.serial('many rows of one transaction reach every process', async (t) => {
  await fleet.commit(`
    insert into documents select 'many ' || row, 'many', 'x' from generate_series(1, 150) row;
    update documents set body = 'THREE' where id = '3'`)
  await serves(t, 'eight', { 2: 'two', 3: 'THREE' })
  await counts(t, 153)
})

test.serial('a TRUNCATE reaches every process', async (t) => {
  await fleet.commit('truncate documents')
  for (const hub of ['seven', 'eight']) await serves(t, hub, {})
  await counts(t, 0)
})

test.serial('a webhook that is forged changes nothing', async (t) => {
  const post = async (headers) => {
    const body = bodyOf({ type: 'TRUNCATE' })
    const answer = await fetch(fleet.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers(body) },
      body,
    })
    return answer.status
  }
  const invalidations = async () => {
    const stats = await fleet.stats()
    return stats.map((one) => one.invalidations)
  }
  const made = await invalidations()
  t.is(await post((body) => signed(body, { secret: 'x'.repeat(64) })), 401)
  t.is(await post(() => ({ authorization: `Bearer ${'x'.repeat(64)}` })), 401)
  t.is(await post(() => ({})), 401)
  t.deepEqual(await invalidations(), made)
  t.is(await post((body) => signed(body, { secret: fleet.secret })), 200)
  t.notDeepEqual(await invalidations(), made)
})

test.serial('every webhook of the database was taken', async (t) => {
  t.deepEqual(Object.keys(await fleet.answers()), ['200'])
})
