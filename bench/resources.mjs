// `npm run bench:resources`: see `usage`.

import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { argumentsOf, someOf, wholeNumber } from '../dev/arguments.mjs'
import { setUp } from '../dev/setup.mjs'

const usage = `Measures resources over the local stack: what a hit of one of ten thousand entries takes beside the prompt, how many commands
ten thousand entries cost in a lease, whether the near cache keeps to maxBytes, and its hit ratio beside lru-cache over several
kinds of reads. Takes about ten minutes.

  npm run bench:resources
  npm run bench:resources -- --quick                 everything at a small size, to see that it runs
  npm run bench:resources -- --only hits,memory      some of hits, commands, memory, ratios, with commas
  npm run bench:resources -- --reads 200000          of each trace of the hit ratios; a million by default
  npm run bench:resources -- --write                 writes bench/resources/results.json and the tables of docs/RESOURCES.md, of a
                                                     whole run

Says which goals were met and which were not. Status 0 either way: a number depends on the machine.`

const RESULTS = fileURLToPath(new URL('resources/results.json', import.meta.url))
const PARTS = ['hits', 'commands', 'memory', 'ratios']

const options = argumentsOf('npm run bench:resources', usage, {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  reads: { type: 'string' },
  write: { type: 'boolean', default: false },
})
const parts = someOf(options, 'only', PARTS)
const reads = options.reads === undefined ? undefined : wholeNumber(options, 'reads', 1, 1e8)
await setUp({ redis: 'optional' })
const { runResources } = await import('./resources/run.mjs')
const { documentPart, rowsOf } = await import('./resources/report.mjs')
const { verdictsOf } = await import('./resources/goals.mjs')
const { machineOf, written } = await import('./results.mjs')
const { plain } = await import('./titles.mjs')
const { writePart } = await import('../dev/readme.mjs')
const { columns, heading } = await import('../dev/terminal.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

console.log('Starting the local stack')
const run = await runResources({
  parts,
  pace: options.quick ? 'quick' : 'whole',
  reads,
  onProgress: (words) => console.log(words),
})
const json = written({ ...machineOf(), ...run })
// Tables are made from what is written, digit for digit.
const results = JSON.parse(json)

for (const [part, rows] of Object.entries(rowsOf(results))) {
  heading(part[0].toUpperCase() + part.slice(1))
  columns(rows.map((row) => row.map((cell) => plain(String(cell)))))
}
const verdicts = verdictsOf(results)
const count = (met) => verdicts.filter((verdict) => verdict.met === met).length
heading(`${count(true)} goals met, ${count(false)} not met`)
for (const { words, met } of verdicts)
  console.log(`  ${met ? 'met    ' : 'not met'}  ${plain(words)}`)
if (options.write && parts.length === PARTS.length && !options.quick) {
  await writeFile(RESULTS, json)
  await writePart('docs/RESOURCES.md', 'resources', documentPart(results))
  console.log('\nWritten to bench/resources/results.json and docs/RESOURCES.md')
}
process.exit(0)
