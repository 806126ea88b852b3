// Commands as they come in: from JSON bodies, from paths, from query strings. And which of them REST refuses.

import { ERRORS, notAvailable, notPermitted, Refusal } from './errors.mjs'

// Blocking reads, transactions by hand, and whatever belongs to a connection or to the server's operator.
// WAIT exists in the real service; with stock Redis it would hold the bridge's only connection.
const UNAVAILABLE = new Set(
  `blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop wait waitaof
   watch unwatch multi exec discard
   auth hello select quit reset client subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe
   cluster readonly readwrite asking
   monitor shutdown debug replicaof slaveof sync psync replconf failover migrate module save bgsave bgrewriteaof latency`
    .trim()
    .split(/\s+/),
)
const CONNECTION_COMMANDS = new Set(['ping', 'echo'])
const NOT_FOR_READERS = new Set(['keys', 'scan'])

/** A command's name in lower case. @param {(string | Buffer)[]} command */
export function nameOf(command) {
  return String(command[0]).toLowerCase()
}

/** The command of a JSON body `["SET", "key", 1, true]`. */
export function commandOfBody(body) {
  return commandOf(parse(body, ERRORS.command), ERRORS.command, ERRORS.emptyCommand)
}

/** The commands of a JSON body `[["SET", …], ["GET", …]]`. */
export function commandsOfBody(body) {
  const list = parse(body, ERRORS.pipeline)
  if (!Array.isArray(list)) throw new Refusal(400, ERRORS.pipeline)
  if (list.length === 0) throw new Refusal(400, ERRORS.emptyPipeline)
  return list.map((item) => commandOf(item, ERRORS.pipeline, ERRORS.emptyPipelineCommand))
}

/** The command of `/set/key?EX=100` with the value in the body. */
export function commandOfPath(segments, query, body) {
  const command = segments.map(percentDecoded)
  if (body.length > 0) command.push(body)
  for (const [name, value] of query) {
    if (name === '_token') continue
    command.push(name)
    if (value !== '') command.push(value)
  }
  return command
}

/** The error text for a command that this caller cannot run, else null. */
export function refusalOf(command, { readOnly, table }) {
  const name = nameOf(command)
  const blocks =
    name.startsWith('xread') && command.some((word) => String(word).toLowerCase() === 'block')
  if (UNAVAILABLE.has(name) || blocks) return notAvailable(name)
  if (!readOnly || CONNECTION_COMMANDS.has(name)) return null
  return table.reads(name) && !NOT_FOR_READERS.has(name) ? null : notPermitted(name)
}

/** What the server says about its commands: whether one only reads. */
export class CommandTable {
  #readers

  /** @param {[name: string, flags: string[]][]} entries */
  constructor(entries) {
    this.#readers = new Set(
      entries.filter(([, flags]) => flags.includes('readonly')).map(([name]) => name),
    )
  }

  reads(name) {
    return this.#readers.has(name) || CONNECTION_COMMANDS.has(name)
  }
}

function parse(body, message) {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new Refusal(400, message)
  }
}

function commandOf(words, malformed, empty) {
  if (!Array.isArray(words)) throw new Refusal(400, malformed)
  if (words.length === 0) throw new Refusal(400, empty)
  return words.map((word) => {
    if (!['string', 'number', 'boolean'].includes(typeof word)) throw new Refusal(400, malformed)
    return String(word)
  })
}

// To bytes and not to text: a path may carry values that are not UTF-8.
function percentDecoded(segment) {
  if (/%(?![0-9a-fA-F]{2})/.test(segment)) throw new Refusal(400, ERRORS.command)
  const binary = segment.replace(/%([0-9a-fA-F]{2})/g, (_, hex) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
  return Buffer.from(binary, 'latin1')
}
