// The options, in the three places that speak of them: the README's table, the types, and the schema that has the defaults.

import { compareNames, tableUnder } from './tables.mjs'
import { membersOf } from './types.mjs'

/** A default that is said in one word. */
const WORD = /^[\w:-]+$/
const NONE = '–'

/**
 * @param {{ readme: string, types: string, schema: object[] }} given the texts of README.md and index.d.ts, and the options of
 *   `lib/option-schema.cjs`
 * @returns {string[]} what is not so, one line each
 */
export function wrongOptions({ readme, types, schema }) {
  const typed = typedOptions(types, 'CacheOptions')
  const rows = [...tableUnder(readme, '## Options')].map((cells) =>
    cells.map((cell) => cell.replaceAll('`', '')),
  )
  const wrong = compareNames(
    'README options',
    rows.map(([name]) => name),
    [...typed.keys()],
  )
  for (const [name, variable, value] of rows) {
    const type = typed.get(name)
    if (!type) continue
    if (variable !== (type.variable ?? NONE))
      wrong.push(`README options: ${name} has the variable ${type.variable ?? NONE}`)
    if (!isSaid(value, type)) wrong.push(`README options: ${name} has the default ${type.value}`)
  }
  return [...wrong, ...wrongSchema(typed, schema)]
}

function typedOptions(types, name) {
  const options = [...membersOf(types, name)].map(([name, comment]) => [
    name,
    {
      comment,
      variable: comment.match(/Environment: `(\w+)`/)?.[1],
      value: comment.match(/Default: `?([^`.(]+?)`?(?: \([^)]*\))?\./)?.[1],
    },
  ])
  return new Map(options)
}

/** The README may say less than the types, and nothing else. */
function isSaid(value, type) {
  if (type.value === undefined) return value === NONE || type.comment.includes(value)
  return WORD.test(type.value) ? value === type.value : type.value.startsWith(value)
}

/** The types have the options of the schema, with its variables and defaults. */
function wrongSchema(typed, schema) {
  const wrong = compareNames(
    'lib/option-schema.cjs',
    schema.map(({ name }) => name),
    [...typed.keys()],
  )
  for (const { name, variable, default: value } of schema) {
    const type = typed.get(name)
    if (!type) continue
    if (type.variable !== variable) wrong.push(`index.d.ts: ${name} has the variable ${variable}`)
    if (value !== undefined && type.value !== String(value))
      wrong.push(`index.d.ts: ${name} has the default ${value}`)
  }
  return wrong
}
