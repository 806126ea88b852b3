// Whether `npm run check` finds the untrue words that it looks for, and whether the types name what the calls give.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { promptCache } from '../dev/prompt-cache.mjs'

import { deadLinks } from '../dev/check/links.mjs'
import { wrongMetrics } from '../dev/check/metrics.mjs'
import { membersOf } from '../dev/check/types.mjs'
import { optionsOn, withStore } from './support/store.mjs'

const store = withStore(test)
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const TABLE = `
## Metrics

| metric              | type    | what it is        |
| ------------------- | ------- | ----------------- |
| \`grove_reads_total\` | counter | reads that began  |
| \`grove_connected\`   | gauge   | whether it is \\| 1 |
`
const EXPOSITION = `# HELP grove_reads_total Reads that began.
# TYPE grove_reads_total counter
grove_reads_total{tier="memory"} 3
grove_reads_total{tier="redis"} 1
# HELP grove_connected Whether the stream is open.
# TYPE grove_connected gauge
grove_connected 1
`

test('a table of metrics that says what metrics() gives is in order', (t) => {
  t.deepEqual(wrongMetrics(TABLE, EXPOSITION), [])
  t.deepEqual(wrongMetrics('# A package\n', ''), [], 'neither a table nor metrics')
})

for (const [situation, table, exposition, message] of [
  [
    'a metric without a row',
    TABLE.replace(/^.*grove_connected.*\n/m, ''),
    EXPOSITION,
    /grove_connected is missing/,
  ],
  ['a row without a metric', TABLE, '', /there is no grove_reads_total/],
  [
    'another type in the table',
    TABLE.replace('gauge', 'counter'),
    EXPOSITION,
    /has the type gauge/,
  ],
  [
    'a metric without HELP',
    TABLE,
    EXPOSITION.replace(/^# HELP.*\n/, ''),
    /HELP lines of metrics\(\): grove_reads_total/,
  ],
  [
    'a value without TYPE',
    TABLE,
    `${EXPOSITION}grove_other 1\n`,
    /TYPE lines of metrics\(\): grove_other/,
  ],
  [
    'a type that is none',
    TABLE.replace('gauge', 'gouge'),
    EXPOSITION.replace('gauge', 'gouge'),
    /has the type gouge/,
  ],
]) {
  test(`${situation} is found`, (t) => {
    t.regex(wrongMetrics(table, exposition).join('\n'), message)
  })
}

test('a link to a file or a heading that is not there is found', (t) => {
  const documents = {
    'README.md':
      '# A `b`, c\n[1](#a-b-c) [2](docs/X.md#two--words) [3](docs/Y.md) [4](#gone) [5](https://x.io/#gone)',
    'docs/X.md':
      '## Two – words\n```sh\n# no heading\n```\n[6](../README.md#gone) [7](#no-heading)',
  }
  const files = { exists: (path) => path in documents, read: (path) => documents[path] }
  const dead = Object.keys(documents).flatMap((path) => deadLinks(path, files))
  t.deepEqual(dead, [
    'README.md: there is no docs/Y.md',
    'README.md: there is no #gone',
    'docs/X.md: there is no ../README.md#gone',
    'docs/X.md: there is no #no-heading',
  ])
})

test('what the calls give has the members that the types name, and no other', async (t) => {
  const cache = promptCache(optionsOn(store))
  t.teardown(() => cache.close())
  const debug = await cache.debugSystemPrompt()
  for (const [name, given] of [
    ['SystemPromptConfig', await cache.fetchActiveSystemPromptConfig()],
    ['InvalidationReceipt', await cache.invalidateSystemPrompt()],
    ['CacheStats', cache.stats()],
    ['SystemPromptDebug', debug],
    ['RedisStatus', debug.redis],
  ]) {
    const named = [...membersOf(read('index.d.ts'), name).keys()]
    t.deepEqual(Object.keys(given).toSorted(), named.toSorted(), name)
  }
})

test('the members of an interface are read with those of its parents', (t) => {
  const types = `
export interface A {
  /** Of A. */
  a: number
}

/** Of the interface. */
export interface B extends A {
  /**
   * Of B,
   * in two lines.
   */
  b?: { c: string }
  d: () => void
}
export type C = A & B
`
  t.deepEqual(
    [...membersOf(types, 'B')],
    [
      ['a', 'Of A.'],
      ['b', 'Of B, in two lines.'],
      ['d', ''],
    ],
  )
  t.deepEqual([...membersOf(types, 'C').keys()], ['a', 'b', 'd'])
  t.throws(() => membersOf(types, 'D'), { message: /no interface D/ })
})
