// What was asked on the command line.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

export const USAGE = `grove-shared-cache <command> [options]

  doctor       looks at the variables, Redis, Supabase and the clock, and says in one line each what is wrong
  status       which prompt is active, how Redis is, and which instances there are
  invalidate   drops the prompt everywhere, and says when no instance can serve it any more
  watch        prints a line each time the active prompt changes

  --env-file FILE    variables of this file, such as .env.local; those of the shell come first
  --key-prefix TEXT  what the keys in Redis begin with, where it is not grove (also: --prefix)
  --timeout-ms N     how long an answer of Redis or Supabase may take (5000); invalidate: the longest wait for the
                     instances (until it is proven)
  --ttl-seconds N    doctor: the servers' ttlSeconds, where it is not 300
  --once             watch: end after the first change
  --json             JSON instead of lines
  --help, --version

Ends with 0 if all is well, with 1 if not, and with 2 if it was not understood.`

const LONGEST_MS = 3_600_000
const YEAR_SECONDS = 31_536_000

const COMMON = {
  'env-file': { type: 'string', multiple: true },
  'key-prefix': { type: 'string' },
  prefix: { type: 'string' },
  'timeout-ms': { type: 'string' },
  json: { type: 'boolean', default: false },
}
const OPTIONS = {
  doctor: { ...COMMON, 'ttl-seconds': { type: 'string' } },
  status: COMMON,
  invalidate: COMMON,
  watch: { ...COMMON, once: { type: 'boolean', default: false } },
}

/** It was not understood; the message says what. */
export class UsageError extends Error {}

/**
 * The command with its options, or a text to print instead. Reads the files that `--env-file` names.
 *
 * @param {string[]} words
 * @returns {{ command: string, options: { keyPrefix?: string, timeoutMs?: number, ttlSeconds?: number, once?: boolean, json:
 *   boolean } } | { text: string, status: number }}
 * @throws {UsageError}
 */
export function commandOf(words) {
  const [command, ...rest] = words
  if (command === '--version') return { text: version(), status: 0 }
  if (command === undefined) return { text: USAGE, status: 2 }
  if (['--help', '-h', 'help'].includes(command)) return { text: USAGE, status: 0 }
  if (!Object.hasOwn(OPTIONS, command))
    throw new UsageError(`there is no command ${JSON.stringify(command)}\n\n${USAGE}`)
  const values = valuesOf(command, rest)
  if (values.help) return { text: USAGE, status: 0 }
  for (const file of values['env-file'] ?? []) loadVariables(file)
  const options = {
    keyPrefix: values['key-prefix'] ?? values.prefix,
    timeoutMs: wholeNumber(values, 'timeout-ms', LONGEST_MS),
    ttlSeconds: wholeNumber(values, 'ttl-seconds', YEAR_SECONDS),
    once: values.once,
    json: values.json,
  }
  return { command, options }
}

function valuesOf(command, words) {
  const help = { type: 'boolean', short: 'h', default: false }
  try {
    return parseArgs({ args: words, options: { ...OPTIONS[command], help } }).values
  } catch (error) {
    throw new UsageError(`${error.message.split('. ')[0]}. Try grove-shared-cache --help`)
  }
}

function wholeNumber(values, name, most) {
  if (values[name] === undefined) return undefined
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= 1 && number <= most) return number
  const given = JSON.stringify(values[name])
  throw new UsageError(`--${name} is ${given}: it must be a whole number from 1 to ${most}`)
}

function loadVariables(file) {
  try {
    process.loadEnvFile(file)
  } catch (error) {
    throw new UsageError(`--env-file ${file} cannot be read (${error.code ?? 'no such format'})`)
  }
}

function version() {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}
