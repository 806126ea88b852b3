// `npm run bench`: see `usage`.

import { mkdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { argumentsOf, someOf } from '../dev/arguments.mjs'
import { setUp } from '../dev/setup.mjs'
import { PARTS, plain } from './titles.mjs'

const usage = `Measures this package beside what servers use instead, over the local stack, in turn, and outside of the stack’s process:
hits, reads of the store, cold starts, commands sent, and growth with instances and threads. Takes three to four minutes.

  npm run bench
  npm run bench -- --quick              a few rounds of everything, to see that it runs; its numbers are worth little
  npm run bench -- --only hits,reads    some of ${Object.keys(PARTS).join(', ')}, with commas
  npm run bench -- --out bench          where results.json and bench.svg go; without it, what is quick or a part is only
                                        printed. The README's table is written too if that is the folder bench

Says which goals were met and which were not. Status 0 either way: a number depends on the machine.`

const OUT = fileURLToPath(new URL('.', import.meta.url))

const options = argumentsOf('npm run bench', usage, {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  out: { type: 'string' },
})
const parts = someOf(options, 'only', Object.keys(PARTS))
await setUp({ redis: 'optional' })
const { runBench } = await import('./run.mjs')
const { resultsOf, written } = await import('./results.mjs')
const { growthRowsOf, rowsOf, verdictsOf } = await import('./report.mjs')
const { pictureOf } = await import('./picture.mjs')
const { readmePart } = await import('./readme.mjs')
const { writeReadmePart } = await import('../dev/readme.mjs')
const { columns, heading } = await import('../dev/terminal.mjs')

// Everything that was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

console.log('Starting the local stack')
const run = await runBench({
  parts,
  pace: options.quick ? 'quick' : 'whole',
  onPart: (part) => console.log(`Measuring ${PARTS[part]}`),
})
const json = written(resultsOf(run))
// Tables and picture are made from what is written, digit for digit.
const results = JSON.parse(json)

print('Benchmarks', rowsOf(results))
print('Growth', growthRowsOf(results))
const whole = parts.length === Object.keys(PARTS).length && !options.quick
if (whole || options.out) await write(resolve(options.out ?? OUT))
const { met, unmet } = verdictsOf(results)
heading(`${met.length} goals met, ${unmet.length} not met`)
for (const words of met) console.log(`  met      ${words}`)
for (const words of unmet) console.log(`  not met  ${words}`)
process.exit(0)

function print(title, rows) {
  if (rows.length < 2) return
  heading(title)
  columns(rows.map((row) => row.map((cell) => plain(cell).replaceAll('**', ''))))
}

async function write(folder) {
  await mkdir(folder, { recursive: true })
  await writeFile(resolve(folder, 'results.json'), json)
  await writeFile(resolve(folder, 'bench.svg'), pictureOf(results))
  if (folder === resolve(OUT)) await writeReadmePart('bench', readmePart(results))
  console.log(`\nWritten to ${folder}`)
}
