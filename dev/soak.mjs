// `npm run soak`: see `usage`.

import { availableParallelism } from 'node:os'

import { argumentsOf, refuse, someOf, wholeNumber } from './arguments.mjs'
import { setUp } from './setup.mjs'
import { PHASES } from './soak/phases.mjs'

const counted = Object.entries(PHASES)
  .map(
    ([name, { standard, title }]) => `  npm run soak -- --${name} ${standard}`.padEnd(42) + title,
  )
  .join('\n')
const usage = `Uses the package over the local stack, over and over, and looks whether its process grows: resident memory, heap,
descriptors, threads. Each of these in a process of its own:

${counted}

  npm run soak -- --only reads,workers     some of them, with commas
  npm run soak -- --leak caches            leaks on purpose: memory, heap, descriptors or caches
  npm run soak -- --write                  writes docs/soak.json and the table of docs/ROBUSTNESS.md; all of them only

Status 1 if something grew more than is allowed, hung or failed.`

const RESULTS = new URL('../docs/soak.json', import.meta.url)
const LEAKS = ['memory', 'heap', 'descriptors', 'caches']

const { runs, write } = readArguments()
await setUp({ redis: 'optional' })
const { runSoak } = await import('./soak/soak.mjs')
const { problemsOf } = await import('./soak/verdict.mjs')
const { documentPart } = await import('./soak/document.mjs')
const { writePart } = await import('./readme.mjs')
const { writeResults } = await import('./results.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

console.log('Starting the local stack')
const soaked = await runSoak({ runs, onProgress: (words) => console.log(words) })
const results = {
  date: new Date().toISOString(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
  ...soaked,
}
if (write) {
  const written = await writeResults(RESULTS, results, 3)
  await writePart('docs/ROBUSTNESS.md', 'soak', documentPart(written))
}
const problems = problemsOf(results)
console.log(problems.length === 0 ? 'Passed.' : `Failed: ${problems.join('; ')}.`)
process.exit(problems.length === 0 ? 0 : 1)

function readArguments() {
  const names = Object.keys(PHASES)
  const values = argumentsOf('npm run soak', usage, {
    ...Object.fromEntries(
      names.map((name) => [name, { type: 'string', default: String(PHASES[name].standard) }]),
    ),
    only: { type: 'string', default: '' },
    leak: { type: 'string' },
    write: { type: 'boolean', default: false },
  })
  const wanted = someOf(values, 'only', names)
  if (values.write && (wanted.length < names.length || values.leak))
    refuse('--write is for all of them, without --leak')
  if (values.leak !== undefined && !LEAKS.includes(values.leak))
    refuse(`--leak is "${values.leak}": it must be one of ${LEAKS.join(', ')}`)
  const runs = wanted.map((name) => ({
    name,
    count: wholeNumber(values, name, 25, PHASES[name].most),
    leak: values.leak,
  }))
  return { runs, write: values.write }
}
