// Whether `npm run check` finds the untrue words that it looks for, and whether the types name what the calls give.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import test from 'ava'
import { promptCache } from '../dev/prompt-cache.mjs'

import { deadLinks } from '../dev/check/links.mjs'
import { wrongMetrics } from '../dev/check/metrics.mjs'
import { wrongOptions } from '../dev/check/options.mjs'
import { membersOf } from '../dev/check/types.mjs'
import { optionsOn, withStore } from './support/store.mjs'

const store = withStore(test)
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const TEXTS = {
  readme: read('README.md'),
  types: read('index.d.ts'),
  schema: createRequire(import.meta.url)('../lib/option-schema.cjs').cacheOptions,
}

test('the options of the README are those of the types, with the defaults of the code', (t) => {
  t.deepEqual(wrongOptions(TEXTS), [])
})

const UNTRUE = [
  ['an option without a row', 'readme', /^\| `push` .*\n/m, '', /push is missing/],
  [
    'a row without an option',
    'readme',
    '| `push` ',
    '| `pull` ',
    /push is missing[^]*there is no pull/,
  ],
  [
    'another variable',
    'readme',
    '`SUPABASE_URL`  ',
    '`SUPABASE_HOST` ',
    /supabaseUrl has the variable SUPABASE_URL/,
  ],
  [
    'another default in the table',
    'readme',
    /(`ttlSeconds` +\| – +\| )`300`/,
    '$1`60` ',
    /ttlSeconds has the default 300/,
  ],
  [
    'another truth value in the table',
    'readme',
    /(`push` +\| – +\| )`true`/,
    '$1`false`',
    /push has the default true/,
  ],
  [
    'no default in the table',
    'readme',
    /(`keyPrefix` +\| – +\| )`grove`/,
    '$1–',
    /keyPrefix has the default/,
  ],
  [
    'another default in words',
    'readme',
    'nothing is signed',
    'all is signed',
    /signingKey has the default nothing is signed/,
  ],
  [
    'another default in the types',
    'types',
    /(interface CacheOptions [^]*?)Default: `info`/,
    '$1Default: `warn`',
    /logLevel has the default/,
  ],
  [
    'an option without a type',
    'types',
    /(interface CacheOptions [^]*?) {2}push\?: boolean \| undefined\n/,
    '$1',
    /there is no push/,
  ],
]
for (const [situation, text, from, to, message] of UNTRUE) {
  test(`${situation} is found`, (t) => {
    const changed = TEXTS[text].replace(from, to)
    t.not(changed, TEXTS[text], 'nothing was changed')
    t.regex(wrongOptions({ ...TEXTS, [text]: changed }).join('\n'), message)
  })
}

test('another default or another variable in the schema is found', (t) => {
  const changed = (name, rest) =>
    TEXTS.schema.map((option) => (option.name === name ? { ...option, ...rest } : option))
  const wrong = (schema) => wrongOptions({ ...TEXTS, schema }).join('\n')
  t.regex(wrong(changed('ttlSeconds', { default: 60 })), /ttlSeconds has the default 60/)
  t.regex(wrong(changed('push', { default: false })), /push has the default false/)
  t.regex(
    wrong(changed('supabaseUrl', { variable: 'OTHER' })),
    /supabaseUrl has the variable OTHER/,
  )
  t.regex(wrong(TEXTS.schema.slice(1)), /upstashUrl is missing/)
})

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
    const named = [...membersOf(TEXTS.types, name).keys()]
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
