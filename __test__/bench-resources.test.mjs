// The benchmark of resources: its reads, goals and tables on numbers made by hand, and a short run of each part.
import test from 'ava'
import { scenariosOf } from '../bench/resources/commands.mjs'
import { commandGoalOf, hitsOf, scenarioWords, verdictsOf } from '../bench/resources/goals.mjs'
import { lruHits } from '../bench/resources/ratios.mjs'
import { documentPart, rowsOf } from '../bench/resources/report.mjs'
import { runResources } from '../bench/resources/run.mjs'
import { TRACES } from '../bench/resources/traces.mjs'
import { machineOf } from '../bench/results.mjs'

/** Three rounds; the machine was slow in the second. */
const HITS = hitsOf({
  prompt: { ns: [100, 1000, 104] },
  ...Object.fromEntries(
    ['json', 'one', 'entry', 'lru', 'lruExact', 'map'].map((side) => [
      side,
      { ns: [150, 1500, 156] },
    ]),
  ),
  text: { ns: [210, 2500, 215] },
})
const SCENARIO = { entries: 10_000, perSecond: 1000, pattern: 'random', changes: false }
const RESULTS = {
  ...machineOf(),
  store: 'redis-server',
  hits: HITS,
  commands: [{ ...SCENARIO, leases: 12, leaseMs: 1000, perLease: 7, billedPerLease: 21, most: 9 }],
  memory: [
    { maxBytes: 32e6, bytes: 31e6, mostBytes: 32.5e6, perValueByte: 1.02, residentBytes: 60e6 },
  ],
  ratios: [
    { trace: 'loop', keys: 1000, reads: 9000, entries: 10, ours: 0.25, lru: 0 },
    { trace: 'moving', keys: 1000, reads: 9000, entries: 10, ours: 0.25, lru: 0.5 },
  ],
}

const metOf = (results) => verdictsOf(results).map(({ met }) => met)

test('a hit is judged beside the prompt, round by round', (t) => {
  const [prompt, text] = HITS
  t.is(prompt.ratio, null)
  t.is(text.ratio.median, 2.1)
  const verdicts = verdictsOf({ hits: HITS })
  t.deepEqual(
    verdicts.map(({ met }) => met),
    [false, true, true],
  )
  t.regex(verdicts[0].words, /strings of 15 KB: 2\.10 times that of the prompt, goal ≤ 2$/)
})

test('commands are judged by what was billed; with changes, by what the reader has counted', (t) => {
  t.deepEqual(metOf({ commands: RESULTS.commands }), [false])
  t.deepEqual(metOf({ commands: [{ ...RESULTS.commands[0], changes: true }] }), [true])
  t.is(commandGoalOf(SCENARIO), 20)
  t.is(commandGoalOf({ ...SCENARIO, entries: 1000 }), 2)
  t.is(commandGoalOf({ ...SCENARIO, entries: 1000, changes: true }), 20)
})

test('whole runs have 1,000 and 10,000 entries at both rates and in both ways, for ten leases at least', (t) => {
  const words = scenariosOf('whole').map(scenarioWords)
  for (const entries of ['1,000', '10,000'])
    for (const rate of ['1,000', '10,000'])
      for (const way of ['at random', 'in bursts'])
        t.true(words.includes(`${entries} entries, ${rate} reads a second, ${way}`), way)
  t.is(words.filter((each) => each.endsWith('one changed in each lease')).length, 1)
  t.true(scenariosOf('whole').every(({ leases, leaseMs }) => leases >= 10 && leaseMs === 1000))
})

test('bytes are judged to both sides, and at any time', (t) => {
  const [one] = RESULTS.memory
  const met = (changed) => metOf({ memory: [{ ...one, ...changed }] })[0]
  t.true(met({}))
  t.false(met({ bytes: 30e6 }), 'room is left')
  t.false(met({ mostBytes: 34e6 }), 'too many for a while')
})

test('hit ratios are judged beside lru-cache, but where popular keys move', (t) => {
  const { ratios } = RESULTS
  t.deepEqual(metOf({ ratios }), [true])
  t.deepEqual(metOf({ ratios: [{ ...ratios[0], ours: 0.1, lru: 0.11 }] }), [false])
})

test('reads are those that their names say, and the same each time', (t) => {
  const options = { keys: 1000, reads: 60_000, seed: 7 }
  const shareOf = (keys, wanted) => keys.filter(wanted).length / keys.length
  const first = Object.fromEntries(
    Object.entries(TRACES).map(([name, { keys }]) => [name, keys(options)]),
  )
  for (const [name, { keys }] of Object.entries(TRACES)) {
    t.is(first[name].length, options.reads, name)
    t.deepEqual(keys(options), first[name], name)
  }
  // Of a Zipf distribution, the share of the most popular key is one to the sum of all.
  for (const exponent of [0.7, 0.9, 1.1]) {
    let sum = 0
    for (let rank = 1; rank <= options.keys; rank += 1) sum += rank ** -exponent
    const share = shareOf(first[`zipf-${exponent}`], (key) => key === 0)
    t.true(Math.abs(share - 1 / sum) < 0.01, `${exponent}: ${share}`)
  }
  t.true(Math.abs(shareOf(first.scans, (key) => key >= options.keys) - 1 / 3) < 0.001)
  const scanned = first.scans.filter((key) => key >= options.keys)
  t.is(new Set(scanned).size, scanned.length, 'nothing is scanned twice')
  t.is(new Set(first.loop).size, 200)
  t.true(shareOf(first.moving.subarray(0, 6000), (key) => key === 0) > 0.05)
  t.true(shareOf(first.moving.subarray(6000, 12_000), (key) => key === 100) > 0.05)
})

test('an lru-cache has no hits in a loop that is larger, and all but the first where it is not', (t) => {
  const loop = Uint32Array.from({ length: 100 }, (_, at) => at % 10)
  t.is(lruHits(loop, 9), 0)
  t.is(lruHits(loop, 10), 90)
})

test('the document has a table for each part, and names what was not met', (t) => {
  const part = documentPart(RESULTS)
  for (const words of ['2.10 (2.07 to 2.42)', '31.0 MB (96.88 %)', ' +25.00 |', '-25.00'])
    t.true(part.includes(words), `${words}\n${part}`)
  t.regex(part, /Goals that were not met:\n\n- a hit, .+\n- 10,000 entries, .+\n\n</)
  t.is(part.match(/^\| -+ /gm).length, 4)
  t.deepEqual(Object.keys(rowsOf({ memory: RESULTS.memory })), ['memory'])
  const met = { ...RESULTS, hits: [], commands: [] }
  t.true(documentPart(met).includes('All goals were met.'))
  t.is(documentPart(null), '\nNot measured yet.\n\n')
})

test.serial(
  'a short run measures hits, bytes and hit ratios, and nothing is far from its goal',
  async (t) => {
    t.timeout(100_000)
    const run = await runResources({ parts: ['hits', 'memory', 'ratios'], pace: 'quick' })
    const { hits, memory, ratios } = run
    // Twice is the goal; a machine that others use at the same time is not the place to judge it.
    for (const { side, ns, ratio, goal } of hits) {
      t.true(ns.median > 5 && ns.median < 20_000, `${side}: ${ns.median} ns`)
      if (goal !== null) t.true(ratio.median < 2 * goal, `${side}: ${ratio.median} times`)
    }
    for (const { maxBytes, bytes, mostBytes, perValueByte } of memory) {
      t.true(bytes > 0.9 * maxBytes && mostBytes < 1.1 * maxBytes, `${bytes}, ${mostBytes} at most`)
      t.true(perValueByte >= 0.95, `${perValueByte} counted for each byte`)
    }
    for (const { trace, entries, ours, lru } of ratios) {
      t.true(ours >= 0 && ours < 1, trace)
      if (TRACES[trace].judged) t.true(ours > lru - 0.02, `${trace} ${entries}: ${ours}, ${lru}`)
    }
    t.true(documentPart({ ...machineOf(), ...run }).includes('Zipf 1.1'))
  },
)

test.serial('a short run counts the commands that the store bills for many entries', async (t) => {
  t.timeout(100_000)
  const { commands } = await runResources({ parts: ['commands'], pace: 'quick' })
  t.is(commands.length, scenariosOf('quick').length)
  for (const scenario of commands) {
    const { reads, perLease, billedPerLease, leases, leaseMs, perSecond, changes, most } = scenario
    const words = scenarioWords(scenario)
    t.true(Math.abs(reads - (leases * leaseMs * perSecond) / 1000) < perSecond / 4, words)
    t.true(perLease > 0 && perLease <= 2 * commandGoalOf(scenario), `${words}: ${perLease}`)
    t.true(most >= perLease, words)
    // An invalidation is billed to another instance.
    if (!changes) t.true(Math.abs(billedPerLease - perLease) < 1, `${words}: ${billedPerLease}`)
  }
})
