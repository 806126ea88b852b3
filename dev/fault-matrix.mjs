// `npm run faults`: see `usage`.

import { availableParallelism, cpus, loadavg } from 'node:os'

import { argumentsOf, refuse, wholeNumber } from './arguments.mjs'
import { setUp } from './setup.mjs'

const usage = `Breaks the store, the source and both over real sockets, in every way there is, and calls all there is to call meanwhile:
how long a call takes at most, what is served, and how soon all is well again, with the timeouts that the package has by
default. Writes dev/matrix/results.json and the table of docs/ROBUSTNESS.md.

  npm run faults
  npm run faults -- --rounds 3    how often each fault is met, 1 to 20
  npm run faults -- --only 401    the faults whose name has this in it; is only printed

Status 1 if a call ended late, if an answer was not what its label says, if something was stored or said that must not be, or if it
took more than two seconds until all was well again.`

const RESULTS = new URL('matrix/results.json', import.meta.url)
const DOCUMENT = 'docs/ROBUSTNESS.md'
/** The package's defaults. */
const LIMITS = { redisTimeoutMs: 500, sourceTimeoutMs: 2000 }

const { rounds, only } = readArguments()
await setUp({ redis: 'optional' })
const { CELLS } = await import('./matrix/faults.mjs')
const { startMatrix } = await import('./matrix/matrix.mjs')
const { documentPart, rowsOf } = await import('./matrix/document.mjs')
const { worstOf } = await import('./matrix/worst.mjs')
const { writePart } = await import('./readme.mjs')
const { writeResults } = await import('./results.mjs')
const { columns, heading } = await import('./terminal.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

const wanted = CELLS.filter(({ fault }) => fault.includes(only))
if (wanted.length === 0) refuse(`--only is "${only}": no fault has that in its name`)
console.log('Starting the local stack')
const matrix = await startMatrix({ limits: { store: LIMITS, source: LIMITS, both: LIMITS } })
const reports = []
const loads = []
try {
  for (let round = 1; round <= rounds; round++) {
    for (const cell of wanted) {
      console.log(`Round ${round} of ${rounds}: ${cell.fault}, ${cell.target}`)
      const report = await matrix.run(cell)
      for (const words of [...report.late, ...report.problems]) console.log(`  ${words}`)
      reports.push(report)
      loads.push(loadavg()[0])
    }
  }
} finally {
  await matrix.stop()
}

const results = {
  date: new Date().toISOString(),
  node: process.versions.node,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
  load: loads.reduce((sum, load) => sum + load, 0) / loads.length,
  store: matrix.store,
  rounds,
  limits: LIMITS,
  cells: worstOf(reports),
}
heading('Faults')
columns(rowsOf(results.cells))
if (only === '') {
  await writePart(DOCUMENT, 'faults', documentPart(await writeResults(RESULTS, results, 1)))
}
const failed = reports.filter(({ late, problems }) => late.length + problems.length > 0)
console.log(
  failed.length === 0 ? '\nPassed.' : `\nFailed: ${failed.length} of ${reports.length}; see above.`,
)
process.exit(failed.length === 0 ? 0 : 1)

function readArguments() {
  const values = argumentsOf('npm run faults', usage, {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  })
  return { rounds: wholeNumber(values, 'rounds', 1, 20), only: values.only }
}
