// The storm over resources: whose version a value is of, and what an invalidation of a group promises for each of its entries. A real
// one is in storm.test.mjs.
import test from 'ava'
import { brokenPromises } from '../dev/storm/checker.mjs'
import { changeOf } from '../dev/storm/entries/changes.mjs'
import {
  ENTRIES,
  EntryReader,
  RESOURCES,
  TAGS,
  covers,
  entriesOf,
  rowOf,
} from '../dev/storm/entries/entries.mjs'
import { judgeEntries } from '../dev/storm/entries/history.mjs'
import { packed, recordsOfEntry, unpacked } from '../dev/storm/journal.mjs'
import { randomOf } from '../dev/storm/random.mjs'

const valueOf = (number, version) => RESOURCES[ENTRIES[number].name].value(rowOf(number, version))
const firstOf = (name) => ENTRIES.findIndex((entry) => entry.name === name)

const SHARED = { outages: [], sourceOutages: [], limits: { boundMs: 1000, hungMs: 2750 } }
const BASELINE = { versions: ENTRIES.map((_, number) => [number, 1]), committedMs: 10 }

/**
 * What is broken where these entries are edited at 1000 and invalidated on instance 0 until 1100; reads of each instance are
 * `[began, ended, entry, version, tier]`.
 */
function broken(what, edited, instances, { evicts, pending = [], ...rest } = {}) {
  const edit = { versions: edited.map((number) => [number, 2]), committedMs: 1000 }
  const invalidation = { instance: 0, what, ...edit, calledMs: 1000, resolvedMs: 1100 }
  const storm = {
    count: ENTRIES.length,
    edits: [BASELINE, edit],
    invalidations: [{ kind: 'mixed', receipt: null, ...invalidation, ...rest }],
    instances: instances.map((reads) => ({
      records: new Float64Array(
        reads.flatMap(([beganMs, endedMs, entry, version, tier = 'memory']) => [
          beganMs,
          endedMs,
          packed({ version, tier, entry }),
        ]),
      ),
      pending,
      pauses: [],
      evicts,
    })),
  }
  return brokenPromises(judgeEntries(storm, SHARED).found)
}

test('a value tells its version, and only its own entry takes it', (t) => {
  const reader = new EntryReader()
  for (const name of Object.keys(RESOURCES)) {
    const number = firstOf(name)
    const value = valueOf(number, 12)
    t.is(reader.versionOf(number, value), 12, name)
    t.is(reader.versionOf(number, value), 12, 'the same once more')
    t.is(reader.versionOf(number + 1, value), null, `${name}: another entry`)
    t.is(reader.versionOf(number, null), null)
    const part = typeof value === 'string' ? value.slice(0, -1) : { ...value, version: 13 }
    t.is(reader.versionOf(number, part), null, `${name}: not as a whole`)
  }
})

test('every entry is in a group, and every group has some', (t) => {
  t.is(ENTRIES.length, entriesOf(Object.keys(RESOURCES).length))
  t.is(TAGS.length, 5)
  t.true(ENTRIES.every(({ tags }) => tags.length > 0))
  t.true(TAGS.every((tag) => ENTRIES.some(({ tags }) => tags.includes(tag))))
  t.is(new Set(ENTRIES.map(({ id }) => id)).size, ENTRIES.length)
})

test('a change edits all that its invalidation covers, and one integer decides it', (t) => {
  const changes = (seed) => {
    const random = randomOf(seed)
    return Array.from({ length: 200 }, () => changeOf(random))
  }
  const kinds = new Set(changes(1).map(({ kind }) => kind))
  t.deepEqual([...kinds].toSorted(), ['entries', 'entry', 'mixed', 'resource', 'tag'])
  t.deepEqual(changes(1), changes(1))
  t.notDeepEqual(changes(1), changes(2))
  for (const { kind, what, numbers } of changes(3)) {
    t.true(numbers.length > 0, kind)
    t.true(numbers.every((number) => covers(what, number)))
    if (kind === 'entry') t.is(numbers.length, 1)
  }
})

test('a change is of the entries that a storm has, and of no other', (t) => {
  const random = randomOf(4)
  const count = entriesOf(3)
  const known = ['text', 'object', 'row']
  for (let change = 0; change < 200; change += 1) {
    const { what, numbers } = changeOf(random, count)
    t.true(numbers.length > 0 && numbers.every((number) => number < count))
    const named = [...(what.resources ?? []), ...Object.keys(what.entries ?? {})]
    t.true(named.every((name) => known.includes(name)))
  }
})

test('the records of each entry are kept apart, in their order', (t) => {
  const records = [3, 0, 3].flatMap((entry, at) => [
    at,
    at + 0.5,
    packed({ version: at + 1, tier: 'redis', entry }),
  ])
  const split = recordsOfEntry(new Float64Array(records), 5)
  t.deepEqual(
    split.map(({ length }) => length / 3),
    [1, 0, 0, 2, 0],
  )
  t.deepEqual([...split[3].subarray(0, 2)], [0, 0.5])
  t.deepEqual(unpacked(split[3].at(-1)), { version: 3, tier: 'redis', entry: 3 })
})

const ELSEWHERE = []
const CASES = [
  ['an id', (number) => ({ entries: { [ENTRIES[number].name]: [ENTRIES[number].id] } })],
  ['a group', (number) => ({ tags: [ENTRIES[number].tags[0]] })],
  ['a resource', (number) => ({ resources: [ENTRIES[number].name] })],
]
for (const [words, whatOf] of CASES) {
  test(`an invalidation of ${words} promises all of its entries, and no other`, (t) => {
    const number = firstOf('text')
    const what = whatOf(number)
    const covered = [...ENTRIES.keys()].filter((each) => covers(what, each))
    const other = [...ENTRIES.keys()].find((each) => !covers(what, each))
    const last = covered.at(-1)
    const check = (...instances) => broken(what, covered, instances)
    t.deepEqual(check([[1200, 1201, last, 2]], [[1200, 1201, last, 1]]), [], 'within a second')
    t.deepEqual(check(ELSEWHERE, [[2101, 2102, last, 1]]), ['1 reads older than promised'])
    t.deepEqual(check(ELSEWHERE, [[9101, 9102, other, 1]]), [], 'not covered')
    t.deepEqual(check([[1101, 1102, last, 1]]), [
      '1 reads older than what their own instance had invalidated',
    ])
    const receipt = { receipt: 'proven' }
    t.deepEqual(broken(what, covered, [ELSEWHERE, [[1101, 1102, last, 1]]], receipt), [
      '1 reads that a receipt had ruled out',
    ])
    const rejected = { resolvedMs: null }
    t.deepEqual(broken(what, covered, [ELSEWHERE, [[9101, 9102, last, 1]]], rejected), [])
  })
}

test('steps back are of one entry in one process, and not of one that evicts', (t) => {
  const back = [
    [1010, 1020, 3, 2],
    [1021, 1030, 3, 1],
  ]
  const what = { resources: ['text'] }
  t.deepEqual(broken(what, [3, 4], [back]), ['1 reads that went back in time'])
  t.deepEqual(broken(what, [3, 4], [back], { evicts: true }), [])
  const two = [
    [1010, 1020, 3, 2],
    [1021, 1030, 4, 1],
  ]
  t.deepEqual(broken(what, [3, 4], [two]), [], 'another entry')
})

test('values of no edit, stand-ins without need and reads that never ended are caught', (t) => {
  const what = { resources: ['text'] }
  const check = (read, rest) => broken(what, [3], [[read]], rest)
  t.deepEqual(check([1200, 1201, 3, 0, 'unknown']), ['1 reads of a prompt that nobody made'])
  t.deepEqual(check([1200, 1201, 3, 1, 'stale']), [
    '1 reads of a stand-in while the source had the prompt',
  ])
  const pending = [{ entry: 3, beganMs: 1200 }]
  t.deepEqual(check([1200, 1201, 3, 2], { pending }), ['1 reads that hung'])
})

test('an invalidation of many entries is counted once', (t) => {
  const what = { resources: ['text', 'object', 'row'] }
  const storm = {
    count: ENTRIES.length,
    edits: [BASELINE],
    invalidations: ['proven', 'unproven', null].map((receipt) => ({
      kind: 'resource',
      what,
      versions: [],
      instance: 0,
      calledMs: 1000,
      resolvedMs: receipt === null ? null : 1100,
      receipt,
    })),
    instances: [{ records: new Float64Array(), pending: [], pauses: [] }],
  }
  const { found, invalidations, kinds, propagation } = judgeEntries(storm, SHARED)
  t.deepEqual([invalidations, kinds, propagation.rejected], [3, { resource: 3 }, 1])
  t.deepEqual([found.receipts, found.unproven], [1, 1])
})
