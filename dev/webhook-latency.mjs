// `npm run webhooks`: see `usage`.

import { availableParallelism } from 'node:os'

import { argumentsOf, wholeNumber } from './arguments.mjs'
import { setUp } from './setup.mjs'

const usage = `Commits changes in Postgres, and measures how long each takes by way of trigger, webhook and Redis until the last of several processes
serves it.

  npm run webhooks                      200 commits, 4 processes, about a minute
  npm run webhooks -- --commits 1000    more
  npm run webhooks -- --instances 3     fewer processes
  npm run webhooks -- --seed 7          with other pauses between commits
  npm run webhooks -- --write           writes docs/webhooks.json and the table of docs/WEBHOOKS.md

Status 1 if a change was late or did not arrive.`

const RESULTS = new URL('../docs/webhooks.json', import.meta.url)

const values = argumentsOf('npm run webhooks', usage, {
  commits: { type: 'string', default: '200' },
  instances: { type: 'string', default: '4' },
  seed: { type: 'string', default: '1' },
  write: { type: 'boolean', default: false },
})
const commits = wholeNumber(values, 'commits', 1, 100_000)
const size = wholeNumber(values, 'instances', 1, 16)
const seed = wholeNumber(values, 'seed', 0, 2 ** 31)
await setUp({ redis: 'optional' })
const { runTrials } = await import('./webhooks/trials.mjs')
const { documentPart, problemsOf, rowsOf } = await import('./webhooks/report.mjs')
const { columns } = await import('./terminal.mjs')
const { writePart } = await import('./readme.mjs')
const { writeResults } = await import('./results.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

console.log('Starting the local stack and the instances')
const results = {
  date: new Date().toISOString(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
  seed,
  ...(await runTrials({ commits, size, seed, onProgress: (words) => console.log(words) })),
}
columns(rowsOf(results))
if (values.write) {
  const written = await writeResults(RESULTS, results, 3)
  await writePart('docs/WEBHOOKS.md', 'webhooks', documentPart(written))
}
const problems = problemsOf(results)
console.log(problems.length === 0 ? 'Passed.' : `Failed: ${problems.join('; ')}.`)
process.exit(problems.length === 0 ? 0 : 1)
