// Writes the options into the types and into the README's table: `node dev/option-types.mjs`. With `--check` it only tells whether they
// are up to date.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

import { compareNames } from './check/tables.mjs'
import * as words from './option-words.mjs'

const schema = createRequire(import.meta.url)('../lib/option-schema.cjs')

const TYPES = new URL('../index.d.ts', import.meta.url)
const README = new URL('../README.md', import.meta.url)
const WIDTH = 120
const NONE = '–'

/** Each option of a list of the schema, with its words. */
function optionsOf(list) {
  const names = schema[list].map(({ name }) => name)
  const wrong = compareNames(`words of ${list}`, Object.keys(words[list]), names)
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  return schema[list].map((option) => ({ ...option, ...words[list][option.name] }))
}

/**
 * The types, with the options between their marks: `// <options list>`, all of them, or `// <options list a, b!>`, these, of which an
 * exclamation mark makes one required.
 */
export function withOptions(types) {
  const marked = /( *\/\/ <options (\w+)(?: ([\w!, ]+))?>\n)[^]*?( *\/\/ <\/options>)/g
  return formatted('index.d.ts', types.replaceAll(marked, written))
}

function written(_, begin, list, wanted, end) {
  const options = optionsOf(list)
  const names = wanted?.split(', ') ?? options.map(({ name }) => name)
  const members = names.map((name) => {
    const required = name.endsWith('!')
    const option = options.find((one) => one.name === name.replace('!', ''))
    if (!option) throw new Error(`the schema has no ${name} in ${list}`)
    return member(required ? { ...option, required } : option)
  })
  return `${begin}${members.join('\n')}\n${end}`
}

function member(option) {
  const { name, required } = option
  const type = typeOf(option)
  const alternative = type.includes('=>') ? `(${type})` : type
  const typed = required ? `${name}: ${type}` : `${name}?: ${alternative} | undefined`
  return `${comment(docOf(option))}\n  ${typed}`
}

const typeOf = ({ type, oneOf, typescript }) =>
  typescript ?? oneOf?.map((value) => `'${value}'`).join(' | ') ?? type

function docOf({ doc, least, most, variable, required, default: value, note, otherwise }) {
  const sentences = [doc.replace('{range}', `${least} to ${most}`)]
  if (variable) sentences.push(`Environment: \`${variable}\`.`)
  if (value !== undefined) sentences.push(`Default: ${shown(value)}${noted(note)}.`)
  else if (otherwise && !required) sentences.push(`Default: ${otherwise}.`)
  return sentences.join(' ')
}

const noted = (note) => (note ? ` (${note})` : '')
const shown = (value) => (typeof value === 'string' ? `\`${value}\`` : String(value))

/** A comment, broken between words and not within code. */
function comment(text) {
  const line = `  /** ${text} */`
  if (line.length <= WIDTH) return line
  const lines = ['  /**']
  let open = '   *'
  for (const word of text.match(/(?:`[^`]*`|\S)+/g)) {
    if (open.length + word.length >= WIDTH) {
      lines.push(open)
      open = '   *'
    }
    open += ` ${word}`
  }
  return [...lines, open, '   */'].join('\n')
}

/** The README's table. */
export function optionTable() {
  const rows = optionsOf('cacheOptions').map(
    ({ name, variable, default: value, note, otherwise, row }) => [
      `\`${name}\``,
      variable ? `\`${variable}\`` : NONE,
      value === undefined ? (otherwise ?? NONE) : `\`${value}\`${noted(note)}`,
      row,
    ],
  )
  const header = ['option', 'variable', 'default', 'what it is']
  const lines = [header, header.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.join(' | ')} |`,
  )
  return formatted('README.md', lines.join('\n'))
}

async function formatted(path, text) {
  const filepath = fileURLToPath(new URL(`../${path}`, import.meta.url))
  return format(text, { ...(await resolveConfig(filepath)), filepath })
}

/** The README with that table. */
export async function withTable(readme) {
  const [before, rest] = readme.split(/(?<=\n## Options\n[^|]*)(?=\| option)/)
  return `${before}${await optionTable()}${rest.slice(rest.indexOf('\n\n') + 1)}`
}

const WRITTEN = [
  ['index.d.ts', TYPES, withOptions],
  ['README.md', README, withTable],
]

async function main([mode]) {
  for (const [name, url, write] of WRITTEN) {
    const committed = readFileSync(url, 'utf8')
    const current = await write(committed)
    if (mode !== '--check') {
      writeFileSync(url, current)
    } else if (current !== committed) {
      console.error(`${name} has not the options of the schema: run node dev/option-types.mjs`)
      process.exitCode = 1
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
