// `npm run storm`: see `usage`.

import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { argumentsOf, refuse, someOf, wholeNumber } from './arguments.mjs'
import { setUp } from './setup.mjs'
import { COLUMNS } from './storm/columns.mjs'

const usage = `Storms over the local stack: instances that read without end, admins who edit and invalidate in bursts, and a store, a
source, a push stream and instances that break in turn. Every single read is checked against the promise: what began more than a
second after an invalidation gives the new prompt. In one table: the algorithm that servers had before, this package, the same
without push, over a Redis whose reads a replica answers that lags up to 1.5 seconds, and with few and many resources in the cache, of
which entries, groups and all are edited and invalidated beside the prompt.

  npm run storm
  npm run storm -- --seconds 60       of each of the fourteen storms, 5 to 600
  npm run storm -- --reads 1000000    a storm over this package goes on until there are so many, up to five times its seconds
  npm run storm -- --instances 4      processes, 2 to 8
  npm run storm -- --seed 1           decides the schedule; a random one by default
  npm run storm -- --only push        some of ${Object.keys(COLUMNS).join(', ')}, with commas
  npm run storm -- --faults on        on, off or both
  npm run storm -- --out docs/storm   where results.json and storm.svg go; without it, a part of them is only printed

Status 1 if this package broke a promise.`

const OUT = fileURLToPath(new URL('../docs/storm', import.meta.url))
const FAULTS = { on: [true], off: [false], both: [false, true] }
const MOST_SEED = 2 ** 31

const options = readArguments()
const columns = someOf(options, 'only', Object.keys(COLUMNS))
await setUp({ redis: columns.some((name) => COLUMNS[name].replica) ? 'required' : 'optional' })
const { runStorms } = await import('./storm/storm.mjs')
const { problemsOf, rowsOf } = await import('./storm/report.mjs')
const { pictureOf } = await import('./storm/picture.mjs')
const { readmePart } = await import('./storm/readme.mjs')
const { writeReadmePart } = await import('./readme.mjs')
const { writeResults } = await import('./results.mjs')
const { columns: printColumns, heading } = await import('./terminal.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

const { seconds, instances, seed, reads } = options
console.log(`Seed ${seed}; starting the local stack`)
const faults = FAULTS[options.faults]
const stormed = await runStorms({
  columns,
  faults,
  seconds,
  instances,
  seed,
  reads,
  onProgress: (words) => console.log(words),
})
const whole = columns.length === Object.keys(COLUMNS).length && faults.length === 2
const results = {
  date: new Date().toISOString(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
  instances,
  seconds,
  seed,
  ...stormed,
}
heading('Storm')
printColumns(rowsOf(results).map(([label, ...cells]) => [label.replaceAll('**', ''), ...cells]))
if (whole || options.out) await write(options.out ?? OUT)
const problems = problemsOf(results)
console.log(problems.length === 0 ? '\nPassed.' : `\nFailed: ${problems.join('; ')}.`)
process.exit(problems.length === 0 ? 0 : 1)

async function write(folder) {
  await mkdir(folder, { recursive: true })
  const kept = { ...results, runs: results.runs.map(withoutPoints) }
  const written = await writeResults(resolve(folder, 'results.json'), kept, 3)
  if (folder === OUT) await writeReadmePart('storm', readmePart(written))
  const broken = results.runs.filter(({ faults, column }) => faults && !COLUMNS[column].resources)
  if (broken.length > 0) {
    const picture = pictureOf(broken, { seconds, boundMs: results.boundMs })
    await writeFile(resolve(folder, 'storm.svg'), picture)
  }
  console.log(`\nWritten to ${folder}`)
}

/** The picture has the points. */
function withoutPoints({ staleness: _staleness, ...run }) {
  return run
}

function readArguments() {
  const values = argumentsOf('npm run storm', usage, {
    seconds: { type: 'string', default: '60' },
    reads: { type: 'string', default: '1000000' },
    instances: { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * MOST_SEED)) },
    only: { type: 'string', default: '' },
    faults: { type: 'string', default: 'both' },
    out: { type: 'string' },
  })
  if (!Object.hasOwn(FAULTS, values.faults))
    refuse(`--faults is "${values.faults}": it must be on, off or both`)
  return {
    ...values,
    seconds: wholeNumber(values, 'seconds', 5, 600),
    reads: wholeNumber(values, 'reads', 0, 100_000_000),
    instances: wholeNumber(values, 'instances', 2, 8),
    seed: wholeNumber(values, 'seed', 0, MOST_SEED),
  }
}
