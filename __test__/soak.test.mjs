// Short soaks: that the package is flat, and that what is not is found.
import test from 'ava'
import { documentPart } from '../dev/soak/document.mjs'
import { runSoak } from '../dev/soak/soak.mjs'
import { problemsOf, verdictOf } from '../dev/soak/verdict.mjs'

const STEPS = 10

/** Samples of a process that grows by so much from one to the next. */
const grownBy = (growth) =>
  Array.from({ length: 25 }, (_, index) => {
    const flat = { rssMiB: 60, heapMiB: 4, descriptors: 24, threads: 13 }
    const grown = Object.entries(growth).map(([what, each]) => [what, flat[what] + each * index])
    return { ...flat, ...Object.fromEntries(grown) }
  })

const leaks = (samples) =>
  Object.entries(verdictOf(samples))
    .filter(([, { leak }]) => leak)
    .map(([what]) => what)

test('what stays, or grows at the beginning only, is flat', (t) => {
  t.deepEqual(leaks(grownBy({})), [])
  const warming = grownBy({}).map((sample, index) => ({ ...sample, rssMiB: index < 5 ? 10 : 90 }))
  t.deepEqual(leaks(warming), [])
  const once = grownBy({}).map((sample, index) => ({ ...sample, rssMiB: index === 24 ? 900 : 60 }))
  t.deepEqual(leaks(once), [], 'one sample is no trend')
})

test('what grows all the time is a leak', (t) => {
  for (const [what, each] of Object.entries({
    rssMiB: 2,
    heapMiB: 0.2,
    descriptors: 1,
    threads: 1,
  }))
    t.deepEqual(leaks(grownBy({ [what]: each })), [what])
})

test('the document names what leaked and what failed, and so does the exit', (t) => {
  const phases = [
    { name: 'reads', count: 100_000, held: verdictOf(grownBy({})) },
    { name: 'caches', count: 50, held: verdictOf(grownBy({ descriptors: 1 })) },
    { name: 'workers', count: 8, error: 'workers: step 1 of 25 hangs' },
  ]
  const results = { date: '2026-01-01T', node: '20', platform: 'p', cores: 2, steps: 25, phases }
  const verdicts = documentPart(results).match(/(flat|leak|failed)(?= \|)/g)
  t.deepEqual(verdicts, ['flat', 'leak', 'failed'])
  t.deepEqual(problemsOf(results), [
    'caches: descriptors grew from 31.0 to 46.0',
    'workers: step 1 of 25 hangs',
  ])
})

/** One soak for the tests below: most of the time goes into starting the stack. */
const FLAT = [
  { name: 'reconnects', count: 10 },
  { name: 'reads', count: 2000 },
  { name: 'caches', count: 50 },
  { name: 'workers', count: 20 },
]
const LEAKING = ['memory', 'caches', 'nothing'].map((leak) => ({ name: 'hits', count: 1000, leak }))

let soaked
test.serial.before(async (t) => {
  t.timeout(90_000)
  const { phases } = await runSoak({ runs: [...FLAT, ...LEAKING], steps: STEPS })
  soaked = { flat: phases.slice(0, FLAT.length), leaking: phases.slice(FLAT.length) }
})

test('a short soak is flat', (t) => {
  t.deepEqual(problemsOf({ phases: soaked.flat }), [])
  t.deepEqual(
    soaked.flat.map(({ name, samples }) => [name, samples.length]),
    FLAT.map(({ name }) => [name, STEPS]),
  )
})

test('what is leaked on purpose is found', (t) => {
  const [memory, caches] = soaked.leaking
  t.true(memory.held.rssMiB.leak, JSON.stringify(memory))
  t.true(caches.held.descriptors.leak, JSON.stringify(caches))
})

test('a step that fails is an error of its phase', (t) => {
  t.regex(soaked.leaking[2].error, /LEAKS\[leak\] is not a function/)
  t.deepEqual(problemsOf({ phases: soaked.leaking.slice(2) }), [soaked.leaking[2].error])
})
