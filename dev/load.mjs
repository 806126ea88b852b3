// `npm run load`: see `usage`.

import { availableParallelism } from 'node:os'

import { argumentsOf, wholeNumber } from './arguments.mjs'
import { setUp } from './setup.mjs'

const usage = `Loads three Express instances by Artillery while the prompt is edited every few seconds, over the local stack with
a source that takes 20 to 80 ms; without a cache and with this package in turn. Writes dev/load/results.json and
the README's table.

  npm run load
  npm run load -- --seconds 40   of each of the four runs, 5 to 600
  npm run load -- --rate 40      chats per second, 1 to 500

Status 1 if a response was stale more than a second after an invalidation, if the hit rate is below 90 %, or if a request
failed.`

const RESULTS = new URL('load/results.json', import.meta.url)
const SOURCE_MS = { least: 20, most: 80 }
const LEAST_HIT_RATE = 0.9

const { seconds, rate } = readArguments()
await setUp({ redis: 'optional' })
const { startStack } = await import('./stack.mjs')
const { fetchArtillery } = await import('./load/artillery.mjs')
const { measureRun } = await import('./load/run.mjs')
const { problemsOf, summaryOf, summaryTable } = await import('./load/report.mjs')
const { readmePart } = await import('./load/readme.mjs')
const { writeReadmePart } = await import('./readme.mjs')
const { writeResults } = await import('./results.mjs')

// Everything that was started ends with this process; nothing here is worth an orderly end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

console.log('Fetching Artillery, unless npm has it (a minute or two the first time)')
await fetchArtillery()
console.log('Starting the local stack')
const stack = await startStack()
const { least, most } = SOURCE_MS
stack.supabase.faults.set({
  kind: 'delay',
  // Asked for at each request.
  get ms() {
    return least + Math.random() * (most - least)
  },
})

const runs = []
try {
  for (const shared of [false, true, false, true]) {
    console.log(
      `Run ${runs.length + 1} of 4: ${shared ? 'with this package' : 'without a cache'}, ${rate} chats/s for ${seconds} s`,
    )
    runs.push(await measureRun({ stack, shared, seconds, rate }))
  }
} finally {
  await stack.stop()
}

const summary = summaryOf(runs)
const results = {
  date: new Date().toISOString(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
  store: stack.store.kind,
  instances: 3,
  seconds,
  rate,
  sourceMs: SOURCE_MS,
  summary,
  runs,
}
const written = await writeResults(RESULTS, results, 4)
await writeReadmePart('load', readmePart(written))
console.log(`\n${summaryTable(written.summary)}\n`)
const problems = problemsOf(summary, LEAST_HIT_RATE)
console.log(problems.length === 0 ? 'Passed.' : `Failed: ${problems.join('; ')}.`)
process.exit(problems.length === 0 ? 0 : 1)

function readArguments() {
  const values = argumentsOf('npm run load', usage, {
    seconds: { type: 'string', default: '40' },
    rate: { type: 'string', default: '40' },
  })
  return {
    seconds: wholeNumber(values, 'seconds', 5, 600),
    rate: wholeNumber(values, 'rate', 1, 500),
  }
}
