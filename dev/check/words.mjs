// Whether what the documents say is still so: options, errors, versions, paths and commands.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import { pictureOf as benchPicture } from '../../bench/picture.mjs'
import { readmePart as benchPart } from '../../bench/readme.mjs'
import { documentPart as resourcesPart } from '../../bench/resources/report.mjs'
import { readmePart as loadPart } from '../load/readme.mjs'
import { documentPart as receiptsPart } from '../receipts/report.mjs'
import { documentPart as soakPart } from '../soak/document.mjs'
import { documentPart as matrixPart } from '../matrix/document.mjs'
import { readmePart as stormPart } from '../storm/readme.mjs'
import { documentPart as webhooksPart } from '../webhooks/report.mjs'
import { deadLinks } from './links.mjs'
import { wrongMetrics } from './metrics.mjs'
import { compareNames, tableUnder } from './tables.mjs'
import { membersOf } from './types.mjs'

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const exists = (path) => existsSync(new URL(`../../${path}`, import.meta.url))

const DOCUMENTS = [
  'README.md',
  'docs/ARCHITECTURE.md',
  'docs/RESOURCES.md',
  'docs/ROBUSTNESS.md',
  'docs/SECURITY.md',
  'docs/DEPENDENCIES.md',
  'docs/MIGRATION.md',
  'docs/WEBHOOKS.md',
  'CHANGELOG.md',
  'examples/express/README.md',
  'fuzz/README.md',
]
/** What a path in a document begins with. */
const FOLDERS = [
  'src',
  'lib',
  'cli',
  'sql',
  'dev',
  'docs',
  'tests',
  '__test__',
  'examples',
  'bench',
  'fuzz',
  '.ci',
  '.github',
]

/** @returns {string[]} what is not so, one line each */
export function untrueWords() {
  return [
    ...errorCodes(),
    ...faultClasses(),
    ...wrongMetrics(read('README.md'), exposition()),
    ...failureModes(),
    ...versions(),
    ...generatedPart(benchPart, 'bench/results.json'),
    ...generatedPart(loadPart, 'dev/load/results.json'),
    ...generatedPart(stormPart, 'docs/storm/results.json'),
    ...generatedPart(receiptsPart, 'docs/receipts.json', 'docs/ROBUSTNESS.md'),
    ...generatedPart(soakPart, 'docs/soak.json', 'docs/ROBUSTNESS.md'),
    ...generatedPart(matrixPart, 'dev/matrix/results.json', 'docs/ROBUSTNESS.md'),
    ...generatedPart(resourcesPart, 'bench/resources/results.json', 'docs/RESOURCES.md'),
    ...generatedPart(webhooksPart, 'docs/webhooks.json', 'docs/WEBHOOKS.md'),
    ...generatedPicture(benchPicture, 'bench/results.json', 'bench/bench.svg'),
    ...DOCUMENTS.flatMap(pathsAndCommands),
    ...DOCUMENTS.flatMap((document) => deadLinks(document, { exists, read })),
  ]
}

/** The README's table of errors has each code that there is, and no other. */
function errorCodes() {
  const codes = [...read('index.d.ts').matchAll(/^ {2}\| '([A-Z_]+)'$/gm)].map(([, code]) => code)
  const rows = [...tableUnder(read('README.md'), '## Errors')].map(([code]) =>
    code.replaceAll('`', ''),
  )
  return compareNames('README errors', rows, codes)
}

/** The types name the words that a fault of Redis is put in; a file's has one more, and so has a loader's. */
function faultClasses() {
  const classes = [...read('src/error.rs').matchAll(/Fault::\w+(?: \{ \.\. \})? => "([a-z-]+)"/g)]
  const [, said] = membersOf(read('index.d.ts'), 'RedisStatus').get('error').split('in one word: ')
  return compareNames(
    'index.d.ts, RedisStatus.error',
    [...said.matchAll(/`([\w-]+)`/g)].map(([, name]) => name),
    classes.map(([, name]) => name).filter((name) => !['unreadable', 'load-failed'].includes(name)),
  )
}

/** What a cache that has asked for nothing yet gives. */
function exposition() {
  // Only now: where this is imported, the addon may not be built yet.
  const { SharedCache } = createRequire(import.meta.url)('grove-shared-cache')
  const cache = new SharedCache({ upstashUrl: '', supabaseUrl: '', logLevel: 'silent' })
  // Its resource is counted from the first use on.
  cache.systemPrompt.fetchActiveSystemPrompt()
  return cache.metrics?.() ?? ''
}

/** Each test that the table of failure modes names is in the file that it names after it. */
function failureModes() {
  const [, section] = read('docs/ARCHITECTURE.md').split('\n## Failure modes\n')
  const rows = [...section.split('\n## ')[0].matchAll(/^\| (F\d+) .*?\| (.*) \|$/gm)]
  const wrong = compareNames(
    'docs/ARCHITECTURE.md, failure modes',
    rows.map(([, mode]) => mode),
    Array.from({ length: 28 }, (_, index) => `F${index + 1}`),
  )
  for (const [, mode, text] of rows) {
    let tests = []
    for (const [, code] of text.matchAll(/`([^`]+)`/g)) {
      if (!/\.(rs|mjs)$/.test(code)) {
        tests.push(code)
      } else {
        const there = exists(code) ? read(code) : ''
        const missing = tests.filter((name) => !there.includes(name))
        wrong.push(...missing.map((name) => `${mode}: ${code} has no test "${name}"`))
        tests = []
      }
    }
  }
  return wrong
}

function versions() {
  const { version } = JSON.parse(read('package.json'))
  const [, crate] = read('Cargo.toml').match(/^version = "(.+)"$/m)
  const [, newest] = read('CHANGELOG.md').match(/^## (\S+)/m)
  const wrong = []
  if (crate !== version) wrong.push(`Cargo.toml has version ${crate}, package.json ${version}`)
  if (newest !== version)
    wrong.push(`CHANGELOG.md begins with ${newest}, package.json has ${version}`)
  return wrong
}

/** A table of a document is that of its results; some documents say that there are none yet. */
function generatedPart(part, results, document = 'README.md') {
  const expected = part(exists(results) ? JSON.parse(read(results)) : null)
  return read(document).includes(expected)
    ? []
    : [`${document}: one of its tables is not that of ${results}`]
}

/** A picture is that of its results. */
function generatedPicture(picture, results, path) {
  return read(path) === picture(JSON.parse(read(results)))
    ? []
    : [`${path} is not that of ${results}`]
}

/** Each path and each npm script that a document names in code exists. */
function pathsAndCommands(document) {
  const { scripts } = JSON.parse(read('package.json'))
  const text = read(document)
  const wrong = []
  for (const [, path] of text.matchAll(/[`(]((?:[\w.-]+\/)+[\w.-]*)[`)]/g)) {
    if (FOLDERS.includes(path.split('/')[0]) && !exists(path))
      wrong.push(`${document}: there is no ${path}`)
  }
  for (const [, script] of text.matchAll(/npm run ([\w:-]+)/g)) {
    if (!scripts[script]) wrong.push(`${document}: there is no npm script ${script}`)
  }
  return wrong
}
