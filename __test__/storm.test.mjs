// The storm's checker, on histories made by hand: each promise broken once, and once nearly. And one short real storm.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { brokenPromises, checkHistory } from '../dev/storm/checker.mjs'
import { Journal, packed, recordsIn, unpacked } from '../dev/storm/journal.mjs'
import { pictureOf } from '../dev/storm/picture.mjs'
import { propagationOf } from '../dev/storm/propagation.mjs'
import { readmePart } from '../dev/storm/readme.mjs'
import { problemsOf, rowsOf } from '../dev/storm/report.mjs'
import { scheduleOf } from '../dev/storm/schedule.mjs'
import { stalenessOf } from '../dev/storm/staleness.mjs'
import { runStorms } from '../dev/storm/storm.mjs'

/** Edit 1 is there from the beginning; edit 2 is committed at 1000, and invalidated on instance 0 from 1000 to 1100. */
const EDITS = [
  { version: 1, fromMs: 0, committedMs: 10 },
  { version: 2, fromMs: 990, committedMs: 1000 },
]
const INVALIDATION = { instance: 0, version: 2, calledMs: 1000, resolvedMs: 1100, receipt: null }

/** A history of one instance or more: each a list of `[began, ended, version, tier]`. */
function history(instances, { pauses = [], pending = [], ...rest } = {}) {
  return {
    first: 1,
    last: 2,
    edits: EDITS,
    invalidations: [INVALIDATION],
    instances: instances.map((reads) => ({
      records: new Float64Array(
        reads.flatMap(([beganMs, endedMs, version, tier = 'memory']) => [
          beganMs,
          endedMs,
          packed({ version, tier }),
        ]),
      ),
      pauses,
      pending,
    })),
    outages: [],
    sourceOutages: [],
    limits: { boundMs: 1000, hungMs: 2750 },
    ...rest,
  }
}

const PROPERTIES = [
  'bound',
  'monotonic',
  'told',
  'proven',
  'unproven',
  'standIn',
  'hung',
  'unknown',
  'failed',
]

/** The counts that are not zero. */
function violations(made) {
  const found = checkHistory(made)
  return Object.fromEntries(
    PROPERTIES.map((name) => [name, found[name]]).filter(([, count]) => count > 0),
  )
}

const FRESH = [1200, 1201, 2]
const ELSEWHERE = []

test('reads of the new prompt break nothing', (t) => {
  const made = history([[[500, 510, 1], FRESH], [FRESH]])
  t.deepEqual(violations(made), {})
  t.deepEqual(brokenPromises(checkHistory(made)), [])
})

test('bound: an old read that begins later than a second after the invalidation resolved is caught', (t) => {
  t.deepEqual(violations(history([ELSEWHERE, [[2100.001, 2101, 1]]])), { bound: 1 })
  t.deepEqual(violations(history([ELSEWHERE, [[2100, 9000, 1]]])), { hung: 1 }, 'it began in time')
})

test('bound: an invalidation that rejected promises nothing until a later one resolves', (t) => {
  const rejected = { ...INVALIDATION, resolvedMs: null }
  const late = [ELSEWHERE, [[4500, 4501, 1]]]
  t.deepEqual(violations(history(late, { invalidations: [rejected] })), {})
  const again = { ...INVALIDATION, calledMs: 3000, resolvedMs: 3400 }
  t.deepEqual(violations(history(late, { invalidations: [rejected, again] })), { bound: 1 })
})

test('bound: an invalidation promises what the database held when it was called', (t) => {
  const ofTheFirst = { ...INVALIDATION, version: 1 }
  t.deepEqual(
    violations(history([ELSEWHERE, [[2200, 2201, 1]]], { invalidations: [ofTheFirst] })),
    {
      bound: 1,
    },
  )
  const before = { ...ofTheFirst, calledMs: 995 }
  t.deepEqual(violations(history([ELSEWHERE, [[2200, 2201, 1]]], { invalidations: [before] })), {})
})

test('told: an old read on the instance of the admin is caught at once, on others it has a second', (t) => {
  t.deepEqual(violations(history([[[1100.001, 1101, 1]], ELSEWHERE])), { told: 1 })
  t.deepEqual(violations(history([[[1099, 1200, 1]], [[1101, 1102, 1]]])), {})
})

test('proven: an old read anywhere is caught at once after a receipt of all', (t) => {
  const invalidations = [{ ...INVALIDATION, receipt: 'proven' }]
  const old = [ELSEWHERE, [[1100.001, 1101, 1]]]
  t.deepEqual(violations(history(old, { invalidations })), { proven: 1 })
  t.deepEqual(violations(history([ELSEWHERE, [[1100, 1101, 1]]], { invalidations })), {})
  const unproven = [{ ...INVALIDATION, receipt: 'unproven' }]
  t.deepEqual(violations(history(old, { invalidations: unproven })), { unproven: 1 })
})

test('monotonic: a step back is caught where the newer read had ended before', (t) => {
  const newer = [1010, 1020, 2]
  t.deepEqual(violations(history([[newer, [1021, 1030, 1]]])), { monotonic: 1 })
  t.deepEqual(violations(history([[newer, [1020, 1030, 1]]])), {}, 'it began as the other ended')
  t.deepEqual(violations(history([[newer], [[1021, 1030, 1]]])), {}, 'another instance')
  const between = [newer, [1015, 1040, 2], [1041, 1050, 1]]
  t.deepEqual(violations(history([between])), { monotonic: 1 })
})

test('stand-ins are old only where the source had nothing to give', (t) => {
  const stale = [5000, 5010, 1, 'stale']
  const fallback = [5020, 5030, 0, 'fallback']
  t.deepEqual(violations(history([[stale, fallback]])), { standIn: 2 })
  const sourceOutages = [{ fromMs: 4000, toMs: 4500 }]
  t.deepEqual(violations(history([[stale, fallback]], { sourceOutages })), {})
  t.deepEqual(
    violations(history([[[995, 999, 0, 'fallback']]])),
    {},
    'between two steps of an edit',
  )
})

test('a stand-in is none where the process stood still in the middle of the read', (t) => {
  const pauses = [{ fromMs: 5300, toMs: 7300 }]
  const across = [5250, 7400, 1, 'stale']
  t.deepEqual(violations(history([[across]], { pauses })), {})
  t.deepEqual(violations(history([[[7300.5, 7400, 1, 'stale']]], { pauses })), { standIn: 1 })
})

test('monotonic: an instance that evicts may have forgotten what it delivered', (t) => {
  const made = history([
    [
      [1010, 1020, 2],
      [1021, 1030, 1],
    ],
  ])
  made.instances[0].evicts = true
  t.deepEqual(violations(made), {})
})

test('hung: a read that took too long or never ended is caught, a freeze aside', (t) => {
  const long = [[1200, 4100, 2]]
  t.deepEqual(violations(history([long])), { hung: 1 })
  t.deepEqual(violations(history([long], { pauses: [{ fromMs: 1300, toMs: 3300 }] })), {})
  t.deepEqual(violations(history([[FRESH]], { pending: [1300] })), { hung: 1 })
})

test('answers that nobody made, and reads that failed, are caught', (t) => {
  const reads = [
    [10, 11, 0, 'unknown'],
    [12, 13, 0, 'failed'],
  ]
  t.deepEqual(violations(history([reads])), { unknown: 1, failed: 1 })
})

test('the first read after a freeze is judged by itself', (t) => {
  const pauses = [{ fromMs: 900, toMs: 3000 }]
  const wakes = (reads) => checkHistory(history([ELSEWHERE, reads], { pauses })).wakes
  const began = [890, 3001, 1]
  t.like(wakes([began, [3000.5, 3002, 1], [3003, 3004, 2]]), [{ stale: true, beganMs: 3000.5 }])
  t.like(wakes([began, [3000.5, 3002, 2]]), [{ stale: false, beganMs: 3000.5 }])
})

test('records that are out of order are refused', (t) => {
  const reads = [FRESH, [500, 510, 1]]
  t.throws(() => checkHistory(history([reads])), { message: /order of their endings/ })
})

test('propagation: until the last old read began, and until the slowest instance gave the new prompt', (t) => {
  const fast = [
    [1090, 1095, 1],
    [1096, 1099, 2],
  ]
  const slow = [
    [1150, 1151, 1],
    [1152, 1190, 2],
  ]
  const { calm, faults } = propagationOf(history([fast, slow]))
  t.is(calm.edits, 1)
  t.deepEqual([calm.lastOldMs.max, calm.firstNewMs.max], [50, 90])
  t.is(faults.edits, 0)
  const outages = [{ fromMs: 2050, toMs: 2500 }]
  t.is(propagationOf(history([fast, slow], { outages })).faults.edits, 1)
})

test('staleness: how long a version had been superseded, the oldest of each slice', (t) => {
  const made = history([
    [
      [1000, 1001, 1],
      [1300, 1301, 1],
      [1301, 1302, 1],
    ],
  ])
  const [slices] = stalenessOf(made, { fromMs: 0, seconds: 2.4 })
  t.deepEqual([slices[99], slices[100], slices[130]], [null, 0, 201])
})

test('a journal gives back every record', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'grove-journal-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'reads')
  const journal = new Journal(path)
  const what = packed({ version: 123_456, tier: 'stale', entry: 5 })
  for (let read = 0; read < 20_001; read += 1) journal.append(read, read + 0.5, what)
  journal.close()
  const records = recordsIn(path)
  t.is(records.length, 3 * 20_001)
  t.deepEqual([...records.subarray(-3)], [20_000, 20_000.5, what])
  t.deepEqual(unpacked(what), { version: 123_456, tier: 'stale', entry: 5 })
})

test('one integer decides a schedule, and a longer one begins with it', (t) => {
  const options = { seed: 7, instances: 4, faults: true }
  const short = scheduleOf({ ...options, seconds: 30 })
  const long = scheduleOf({ ...options, seconds: 90 })
  const before = short.phases.at(-1).toMs
  const of = ({ phases, bursts }) => [
    phases.filter(({ toMs }) => toMs <= before),
    bursts.filter(({ atMs }) => atMs < before),
  ]
  t.deepEqual(of(long), of(short))
  t.notDeepEqual(scheduleOf({ ...options, seconds: 30, seed: 8 }).phases, short.phases)
  t.deepEqual(scheduleOf({ ...options, seconds: 30, faults: false }).phases, [])
})

test.serial('a short storm with faults over three instances breaks no promise', async (t) => {
  t.timeout(100_000)
  const stormed = await runStorms({
    columns: ['push'],
    faults: [true],
    seconds: 15,
    reads: 0,
    instances: 3,
    seed: 3,
  })
  const [run] = stormed.runs
  t.deepEqual(problemsOf(stormed), [], JSON.stringify(run.found.examples, null, 2))
  t.true(run.found.reads > 100, `${run.found.reads} reads`)
  t.true(run.invalidations > run.propagation.rejected)
  t.true(run.phases.length > 2)
  const picture = pictureOf(stormed.runs, { seconds: 15, boundMs: stormed.boundMs })
  for (const { label } of run.phases) t.true(picture.includes(label))
  const machine = { date: '2026-01-01', node: '', platform: '', cores: 2, cpu: '', instances: 3 }
  t.regex(readmePart({ ...machine, seconds: 15, seed: 3, ...stormed }), /\| faults: reads +\|/)
})

test.serial('a short storm over resources breaks no promise', async (t) => {
  t.timeout(110_000)
  const stormed = await runStorms({
    columns: ['resources'],
    faults: [true],
    seconds: 15,
    reads: 0,
    instances: 3,
    seed: 3,
  })
  const [{ entries, found }] = stormed.runs
  const examples = [...found.examples, ...entries.found.examples]
  t.deepEqual(problemsOf(stormed), [], JSON.stringify(examples, null, 2))
  t.true(entries.found.reads > 1000, `${entries.found.reads} reads`)
  t.true(entries.invalidations > entries.propagation.rejected)
  t.true(Object.keys(entries.kinds).length >= 3, JSON.stringify(entries.kinds))
  t.true(entries.found.receipts > 0)
  for (const tier of ['memory', 'source']) t.true(entries.found.tiers[tier] > 0, tier)
  const row = rowsOf(stormed).find(([label]) => label === 'resources, faults: reads')
  t.is(row[1], entries.found.reads.toLocaleString('en-US'))
})
