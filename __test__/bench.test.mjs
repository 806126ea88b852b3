// The benchmark: its arithmetic and its report on numbers made by hand, and a short run of it.
import test from 'ava'
import { comparisonsOf, isMet } from '../bench/goals.mjs'
import { pictureOf } from '../bench/picture.mjs'
import { PROMPT, requirePrompt } from '../bench/prompt.mjs'
import { readmePart } from '../bench/readme.mjs'
import { growthRowsOf, rowsOf, verdictsOf } from '../bench/report.mjs'
import { resultsOf, written } from '../bench/results.mjs'
import { runBench } from '../bench/run.mjs'
import { differencesOf, orderOf, ratiosOf, sampling, spreadOf } from '../bench/statistics.mjs'
import { median, percentile } from '../dev/statistics.mjs'

/** Three rounds; the machine was slow in the second. */
const SAMPLES = {
  hits: {
    local: { ns: [80, 800, 82] },
    ours: { ns: [100, 960, 99] },
    lruCache: { ns: [90, 1000, 90] },
    bentocache: { ns: [10_000, 100_000, 9900] },
  },
  reads: Object.fromEntries(
    Object.entries({ oursAsking: 50, upstash: 800 }).map(([side, us]) => [
      side,
      { p50Us: [us], p99Us: [us * 4], cpuUs: [us * 2], loopUs: [us] },
    ]),
  ),
  cold: {
    file: { bytes: [4_250_000] },
    bare: { residentBytes: [43e6, 43e6] },
    ours: { readyMs: [14, 19, 17], residentBytes: [56e6, 57e6] },
  },
  growth: {
    'ours 2': { readsPerSecond: [9e6], commandsPerSecond: [2.5] },
    'ours 16': { readsPerSecond: [60e6], commandsPerSecond: [19] },
    'upstash 2': { readsPerSecond: [900], commandsPerSecond: [899] },
    'upstash 16': { readsPerSecond: [1100], commandsPerSecond: [1098] },
    'workers 1': { readsPerSecond: [8e6] },
    'workers 4': { readsPerSecond: [15e6] },
  },
}

const resultsFrom = (samples) => JSON.parse(written(resultsOf({ store: 'redis-server', samples })))

const compared = (label, other, { cores = 2 } = {}) =>
  comparisonsOf(SAMPLES, { cores }).find(
    (comparison) => comparison.label.startsWith(label) && comparison.other === other,
  )

test('percentiles lie between the samples, on the straight line', (t) => {
  t.is(median([3, 1, 2]), 2)
  t.is(median([4, 1, 3, 2]), 2.5)
  t.is(percentile([10, 0], 0.1), 1)
  t.deepEqual(spreadOf([7]), { median: 7, p10: 7, p90: 7 })
  const hundred = Array.from({ length: 101 }, (_, index) => 100 - index)
  t.deepEqual(spreadOf(hundred), { median: 50, p10: 10, p90: 90 })
  t.throws(() => median([]), { message: /no samples/ })
})

test('sides are compared round by round, so a slow round slows no ratio', (t) => {
  t.deepEqual(ratiosOf([1, 30], [2, 60]), [0.5, 0.5])
  t.deepEqual(differencesOf([5, 9], [1, 2]), [4, 7])
  t.throws(() => ratiosOf([1], [1, 2]), { message: /do not compare/ })
  const { value } = compared('hit', 'a variable with a TTL')
  t.is(value.median, 99 / 82)
})

test('each side has each place in the order equally often', (t) => {
  const sides = ['a', 'b', 'c']
  t.deepEqual(
    [0, 1, 2, 3].map((round) => orderOf(sides, round).join('')),
    ['abc', 'cba', 'bca', 'acb'],
  )
  const firsts = [0, 1, 2, 3, 4, 5].map((round) => orderOf(sides, round)[0])
  t.deepEqual(firsts.toSorted(), ['a', 'a', 'b', 'b', 'c', 'c'])
})

test('samples are kept by side and measure, in the order of the rounds', (t) => {
  const { samples, add } = sampling()
  add('a', { ns: 1 })
  add('a', { ns: 2 })
  add('b', { ns: 3 })
  t.deepEqual(samples, { a: { ns: [1, 2] }, b: { ns: [3] } })
})

test('a goal is judged by the median of what is compared', (t) => {
  t.true(isMet(compared('hit', 'a variable with a TTL')))
  t.false(isMet(compared('hit', '`lru-cache` `fetch()`')), '1.1 is not below 1')
  t.true(isMet(compared('hit', '`bentocache` `getOrSet()`')))
  t.false(isMet(compared('cold start: import', null)), 'the median of 17 ms is above 15')
  t.false(isMet(compared('resident memory after 1,000', 'a bare Node')))
  t.true(isMet(compared('the `.node` file', null)))
  t.is(isMet({ value: { median: 1 }, goal: null }), null)
})

test('how much worker threads have to give grows with the cores', (t) => {
  const workers = (cores) => compared('hits of 4 worker threads', 'one thread', { cores })
  t.deepEqual(
    [2, 4, 64].map((cores) => workers(cores).goal.least),
    [1.5, 3, 3],
  )
  t.true(isMet(workers(2)))
  t.false(isMet(workers(4)))
})

test('the report shows an unmet goal as unmet, and every number in its unit', (t) => {
  const results = resultsFrom(SAMPLES)
  const row = (start) => rowsOf(results).find(([label]) => label.startsWith(start))
  t.deepEqual(row('cold start: import'), [
    'cold start: import and construction',
    '17 ms',
    '-',
    '17 ms (14.6 to 18.6)',
    '≤ 15 ms',
    '**not met**',
  ])
  t.deepEqual(row('resident memory after 1,000').slice(1), [
    '56.5 MB',
    'a bare Node: 43 MB',
    '+13.5 MB (13.1 to 13.9)',
    '≤ +12 MB',
    '**not met**',
  ])
  t.deepEqual(row('store read, `maxStalenessMs: 0`: event loop').slice(1), [
    '50 µs',
    '`@upstash/redis` `get`: 800 µs',
    '1/16 (1/16 to 1/16)',
    '≤ 1/10',
    'met',
  ])
  const { met, unmet } = verdictsOf(results)
  t.true(unmet.some((words) => words.startsWith('cold start: import and construction: 17 ms')))
  t.false(met.some((words) => words.startsWith('cold start: import')))
  t.deepEqual(growthRowsOf(results).slice(1), [
    ['2', '9,000,000', '2.5', '900', '899'],
    ['16', '60,000,000', '19', '1,100', '1,098'],
  ])
})

test('the README’s part has the machine, the versions and a row for each comparison', (t) => {
  const results = resultsFrom(SAMPLES)
  const part = readmePart({ ...results, date: '2026-01-02T03:04:05.678Z' })
  t.true(part.startsWith(`\n2026-01-02, Node ${process.versions.node} on `))
  for (const [name, version] of Object.entries(results.versions))
    t.true(part.includes(`${name} ${version}`))
  t.is(
    part.match(/^\| (?:hit|store read|cold|resident|the `|hits)/gm).length,
    results.comparisons.length,
  )
  t.regex(part, /\| +16 +\| +60,000,000 \|/)
})

test('what was not measured is left out', (t) => {
  const results = resultsFrom({ hits: SAMPLES.hits })
  t.true(results.comparisons.every(({ label }) => label.startsWith('hit')))
  t.deepEqual(growthRowsOf(results), [])
  t.notRegex(readmePart(results), /instances/)
  t.notRegex(pictureOf(results), /store|instances/)
})

test('the picture is well-formed, and shows and says each side', (t) => {
  const picture = pictureOf(resultsFrom(SAMPLES))
  requireWellFormed(t, picture)
  for (const title of ['a variable with a TTL', 'lru-cache fetch()', '@upstash/redis get'])
    t.is(picture.split(title).length - 1, title === '@upstash/redis get' ? 4 : 2, title)
  t.regex(picture, /<title id="title">.+<\/title>\n<desc id="desc">A hit: .+ 10,000 ns\./)
  t.regex(picture, /prefers-color-scheme:dark/)
  t.notRegex(picture, /NaN|undefined|Infinity/)
})

test('a picture of nothing counted has its lines all the same', (t) => {
  const growth = structuredClone(SAMPLES.growth)
  growth['ours 2'].commandsPerSecond = [0]
  t.notRegex(pictureOf(resultsFrom({ growth })), /NaN|Infinity/)
})

test('the prompt has 15 KB, and nothing else passes for it', (t) => {
  t.is(Buffer.byteLength(PROMPT), 15 * 1024)
  requirePrompt('a side', PROMPT)
  for (const other of [`${PROMPT} `, null, undefined])
    t.throws(() => requirePrompt('a side', other), { message: /^a side did not give the prompt/ })
})

test('a short run measures a hit of every side', async (t) => {
  t.timeout(60_000)
  const run = await runBench({ parts: ['hits'], pace: 'quick' })
  const results = resultsFrom(run.samples)
  const { hits } = results.parts
  t.deepEqual(Object.keys(hits).toSorted(), [
    'bentocache',
    'bentocacheBest',
    'bentocacheGet',
    'local',
    'lruCache',
    'lruCacheExact',
    'ours',
    'oursClass',
    'oursConfig',
  ])
  for (const [side, { ns }] of Object.entries(hits)) {
    t.true(ns.median > 5 && ns.median < 200_000, `${side}: ${ns.median} ns`)
    t.true(ns.p10 <= ns.median && ns.median <= ns.p90, side)
    t.is(ns.rounds, hits.local.ns.rounds, `${side} was measured in every round`)
  }
  t.true(hits.ours.ns.median < hits.bentocache.ns.median / 10)
  t.true(pictureOf(results).includes('lru-cache fetch()'))
})

/** Every element that is opened is closed, in order; no stray `&` or `<`. */
function requireWellFormed(t, svg) {
  const open = []
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*")*)(\/?)>/g,
    (_, end, name, __, empty) => {
      if (end) t.is(open.pop(), name)
      else if (!empty) open.push(name)
      return ''
    },
  )
  t.deepEqual(open, [])
  t.notRegex(rest, /[<&]/)
}
