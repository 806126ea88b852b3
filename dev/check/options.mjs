// The options, in the three places that speak of them: the README's table, the types, and the code that has the defaults.

import { compareNames, tableUnder } from './tables.mjs'
import { membersOf } from './types.mjs'

/** Where the default is said in one word, it is the code's. */
const WORD = /^[\w:-]+$/
const NONE = '–'

/**
 * @param {{ readme: string, types: string, config: string }} texts of README.md, index.d.ts and src/core/config.rs
 * @returns {string[]} what is not so, one line each
 */
export function wrongOptions({ readme, types, config }) {
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
  // Those of a cache of resources that are not among them.
  const shared = typedOptions(types, 'SharedCacheOptions')
  return [...wrong, ...wrongDefaults(new Map([...shared, ...typed]), defaultsOf(config))]
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

/** @returns {Map<string, string>} by the option's name */
function defaultsOf(config) {
  const constants = [
    ...config.matchAll(/^pub const DEFAULT_(\w+): [^=]+= "?([^";]+?)(?:\.0)?"?;/gm),
  ]
  const literals = [
    ...config.matchAll(/self\s*\.(\w+)(?:\.as_deref\(\))?\.unwrap_or\("?([a-z]+)"?\)/g),
  ]
  const said = (value) => (/^\d[\d_]*$/.test(value) ? value.replaceAll('_', '') : value)
  const all = [...constants, ...literals]
  return new Map(all.map(([, name, value]) => [camelCase(name), said(value)]))
}

const camelCase = (name) =>
  name.toLowerCase().replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase())

function wrongDefaults(typed, coded) {
  const words = [...typed].filter(([, { value }]) => WORD.test(value ?? ''))
  const wrong = compareNames(
    'defaults in src/core/config.rs',
    [...coded.keys()],
    words.map(([name]) => name),
  )
  for (const [name, { value }] of words) {
    if (coded.has(name) && coded.get(name) !== value)
      wrong.push(`index.d.ts: ${name} has the default ${coded.get(name)}`)
  }
  return wrong
}
