// `npm run receipts`: see `usage`.

import { availableParallelism } from 'node:os'

import { argumentsOf, wholeNumber } from './arguments.mjs'
import { setUp } from './setup.mjs'

const usage = `Freezes and kills instances just before the prompt is edited, and waits for the receipt of all of them: whether it comes within a
lease and a round trip, and whether any instance serves the old prompt after that.

  npm run receipts                     1000 receipts in 4 fleets of 4 processes, about five minutes
  npm run receipts -- --trials 100     fewer
  npm run receipts -- --seed 7         with other chances
  npm run receipts -- --write          writes docs/receipts.json and the table of docs/ROBUSTNESS.md

Status 1 if a receipt was late, missing or contradicted.`

const RESULTS = new URL('../docs/receipts.json', import.meta.url)
const FLEETS = 4
/** Besides the one that invalidates. */
const SIZE = 3

const values = argumentsOf('npm run receipts', usage, {
  trials: { type: 'string', default: '1000' },
  seed: { type: 'string', default: '1' },
  write: { type: 'boolean', default: false },
})
const trials = wholeNumber(values, 'trials', 1, 100_000)
const seed = wholeNumber(values, 'seed', 0, 2 ** 31)
await setUp({ redis: 'optional' })
const { runTrials } = await import('./receipts/trials.mjs')
const { documentPart, problemsOf, rowsOf } = await import('./receipts/report.mjs')
const { columns } = await import('./terminal.mjs')
const { writePart } = await import('./readme.mjs')
const { writeResults } = await import('./results.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

console.log('Starting the local stack and the fleets')
const onProgress = (words) => console.log(words)
const results = {
  date: new Date().toISOString(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
  seed,
  fleets: FLEETS,
  ...(await runTrials({ trials, fleets: FLEETS, size: SIZE, seed, onProgress })),
}
columns(rowsOf(results))
const { reads, contradicted } = results
console.log(`${contradicted} of ${reads} reads contradicted a receipt`)
if (values.write) {
  const written = await writeResults(RESULTS, results, 3)
  await writePart('docs/ROBUSTNESS.md', 'receipts', documentPart(written))
}
const problems = problemsOf(results)
console.log(problems.length === 0 ? 'Passed.' : `Failed: ${problems.join('; ')}.`)
process.exit(problems.length === 0 ? 0 : 1)
