// The types and the README's table of options say what the schema says.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import test from 'ava'

import { tableUnder } from '../dev/check/tables.mjs'
import { membersOf } from '../dev/check/types.mjs'
import { optionTable, withOptions } from '../dev/option-types.mjs'

const { cacheOptions, invalidateOptions, queryOptions, resourceOptions } = createRequire(
  import.meta.url,
)('../lib/option-schema.cjs')

const types = readFileSync(new URL('../index.d.ts', import.meta.url), 'utf8')

test('the types have the options of the schema', async (t) => {
  t.true((await withOptions(types)) === types, 'run `node dev/option-types.mjs`')
  for (const [name, options] of [
    ['CacheOptions', cacheOptions],
    [
      'ResourceOptionsBase<V>',
      resourceOptions.filter((it) => !['load', 'supabase'].includes(it.name)),
    ],
    ['SupabaseQuery', queryOptions],
    ['InvalidateOptionsBase', invalidateOptions],
  ]) {
    const members = membersOf(types, name)
    t.deepEqual(
      [...members.keys()],
      options.map((option) => option.name),
    )
    for (const { name: option, variable, least, most, rule, default: value } of options) {
      const comment = members.get(option)
      if (variable) t.true(comment.includes(` Environment: \`${variable}\`.`), comment)
      if (rule === 'whole') t.true(comment.includes(`${least} to ${most}`), comment)
      if (typeof value === 'string') t.true(comment.includes(` Default: \`${value}\`.`), comment)
      else if (value !== undefined)
        t.regex(comment, new RegExp(` Default: ${value}( \\(.+\\))?\\.$`))
    }
  }
})

test('options that were changed by hand are written anew', async (t) => {
  let changed = types
  for (const [from, to] of [
    ['maxBytes?: number', 'maxBytes?: string'],
    ['Default: `grove`', 'Default: `mine`'],
    [/ {2}push\?: .*\n/, ''],
    ['load: (', 'load?: ('],
  ]) {
    const before = changed
    changed = before.replace(from, to)
    t.not(changed, before, String(from))
  }
  t.true((await withOptions(changed)) === types)
})

test('the table has a row for each option', async (t) => {
  const rows = [...tableUnder(`\n## Options\n\n${await optionTable()}`, '## Options')]
  t.deepEqual(
    rows.map(([name]) => name),
    cacheOptions.map(({ name }) => `\`${name}\``),
  )
  for (const cells of rows) t.true(cells.length === 4 && cells.every(Boolean), cells.join())
  const cellsOf = (name) => rows.find(([cell]) => cell === `\`${name}\``)
  t.like(cellsOf('upstashUrl'), ['`upstashUrl`', '`UPSTASH_REDIS_REST_URL`', 'no shared cache'])
  t.like(cellsOf('maxBytes'), ['`maxBytes`', '–', '`67108864` (64 MiB)'])
})

test('programs compile against the types of the API with one class', (t) => {
  const project = fileURLToPath(new URL('types/tsconfig.json', import.meta.url))
  t.notThrows(() => execFileSync('npx', ['tsc', '--project', project], { encoding: 'utf8' }))
})
