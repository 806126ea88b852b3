// The in-process store for machines without redis-server: ioredis-mock, made to answer like Redis where the bridge
// and the cache's scripts need it.
//
// What it does not do: bytes that are not UTF-8 inside Lua, a status of `redis.call` as a Lua table (it is the string "OK",
// not `{ ok = 'OK' }`), nulls nested in a script's own tables, a list where a stream is wanted (it takes one for the other),
// XTRIM, keyspace notifications, most commands besides the basic ones, Lua 5.1 (it runs Lua 5.3).

import { createRequire } from 'node:module'
import RedisMock from 'ioredis-mock'

import {
  KINDS,
  NO_INTEGER,
  WRONG_TYPE,
  answerOf,
  innerCallsOf,
  replyOf,
  scriptSha,
  wrapScript,
} from './embedded-lua.mjs'

const COMMANDS = createRequire(import.meta.url)('ioredis-mock/data/command-info.json')
const ARITY = new Map(COMMANDS.map(([name, arity]) => [name.toLowerCase(), arity]))
const SET_OPTIONS = new Set(['NX', 'XX', 'GET', 'EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL'])
const EXPIRY_OPTIONS = new Set(['EX', 'PX', 'EXAT', 'PXAT'])

let started = 0

/** Starts an empty in-process store; the same shape as `startRedis` gives. */
export async function startEmbeddedRedis() {
  // ioredis-mock shares data between clients of the same host name.
  started += 1
  const host = `embedded-${started}`
  const scripts = new Map()
  const clients = new Set()
  const connect = () => {
    const client = new EmbeddedClient({ host }, scripts)
    clients.add(client)
    return client
  }
  const stop = async () => {
    for (const client of clients) client.disconnect()
    await connect().flushall()
  }
  return { kind: 'embedded', url: null, connect, stop }
}

/** An ioredis-mock client with ioredis' `call` and `callBuffer`, and with the error texts of Redis. */
class EmbeddedClient extends RedisMock {
  #scripts

  constructor(options, scripts) {
    super(options)
    this.#scripts = scripts
  }

  async call(name, ...args) {
    return textOf(await this.callBuffer(name, ...args))
  }

  async callBuffer(name, ...args) {
    return (await this.callCounted(name, ...args)).reply
  }

  /** Like `callBuffer`, and says how many commands a script ran (a script that failed counts none). */
  async callCounted(name, ...args) {
    const command = name.toLowerCase()
    const words = args.flat().map(argument)
    checkArity(command, words.length)
    if (command === 'eval') return this.#runScript(words)
    if (command === 'evalsha') return this.#runScript([this.#scriptOf(words[0]), ...words.slice(1)])
    if (command === 'script') return { reply: this.#script(words), innerCalls: 0 }
    if (command in KINDS) await this.#refuseOtherKinds(words[0], KINDS[command])
    if (command === 'incr' || command === 'incrby') await this.#refuseNonInteger(words)
    if (command === 'set') checkSetOptions(words)
    // The Buffer variant of a read gives the exact bytes; of a write, the same as the plain one.
    const run = this[`${command}Buffer`] ?? this[command]
    try {
      const answer = await run.apply(this, words)
      if (command === 'hgetall') return { reply: replyOf(fieldsOf(answer)), innerCalls: 0 }
      if (command === 'hdel' && (await this.hlen(words[0])) === 0) await this.del(words[0])
      const reply = replyOf(answer)
      if (command === 'mget') await this.#onlyTexts(words, reply)
      return { reply, innerCalls: 0 }
    } catch (error) {
      throw redisError(error, name, words)
    }
  }

  #scriptOf(sha) {
    const script = this.#scripts.get(String(sha).toLowerCase())
    if (script === undefined) throw new Error('NOSCRIPT No matching script. Please use EVAL.')
    return script
  }

  async #runScript([script, keyCount, ...rest]) {
    this.#scripts.set(scriptSha(script), script)
    try {
      const answer = await this.eval(wrapScript(script), keyCount, ...rest)
      return { reply: replyOf(answerOf(answer)), innerCalls: innerCallsOf(answer) }
    } catch (error) {
      throw luaError(error)
    }
  }

  #script([subcommand, ...rest]) {
    const name = String(subcommand).toLowerCase()
    if (name === 'load') {
      const sha = scriptSha(rest[0])
      this.#scripts.set(sha, rest[0])
      return Buffer.from(sha)
    }
    if (name === 'exists')
      return rest.map((sha) => Number(this.#scripts.has(String(sha).toLowerCase())))
    if (name === 'flush') {
      this.#scripts.clear()
      return Buffer.from('OK')
    }
    throw new Error(`ERR unknown subcommand '${subcommand}'. Try SCRIPT HELP.`)
  }

  async #refuseNonInteger([key, by = '1']) {
    const value = (await this.get(key)) ?? '0'
    if (!isInteger(value) || !isInteger(by)) throw new Error(NO_INTEGER)
  }

  // Of bytes that are not UTF-8 ioredis-mock does not know what they are.
  async #kindOf(key) {
    return (await this.type(key)) ?? 'string'
  }

  async #refuseOtherKinds(key, kind) {
    const found = await this.#kindOf(key)
    if (found !== 'none' && found !== kind) throw new Error(WRONG_TYPE)
  }

  // To MGET, whatever is no text is nothing.
  async #onlyTexts(keys, reply) {
    const kinds = await Promise.all(keys.map((key) => this.#kindOf(key)))
    kinds.forEach((kind, index) => {
      if (kind !== 'string') reply[index] = null
    })
  }
}

// Text stays text, so that Lua can compare it; only what is not UTF-8 is handed on as bytes.
function argument(value) {
  if (!Buffer.isBuffer(value)) return String(value)
  const text = value.toString('utf8')
  return Buffer.from(text, 'utf8').equals(value) ? text : value
}

// As Redis reads a number: no zeros before it, and of 64 bits.
function isInteger(text) {
  return /^(0|-?[1-9]\d*)$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
}

// ioredis-mock answers HGETALL with an object, with Buffers as values.
function fieldsOf(hash) {
  return Object.entries(hash).flat()
}

function textOf(reply) {
  if (Buffer.isBuffer(reply)) return reply.toString('utf8')
  return Array.isArray(reply) ? reply.map(textOf) : reply
}

// ioredis-mock knows the options in upper case only and takes any expiry.
function checkSetOptions(words) {
  for (let index = 2; index < words.length; index += 1) {
    const word = String(words[index]).toUpperCase()
    if (!SET_OPTIONS.has(word)) throw new Error('ERR syntax error')
    words[index] = word
    if (!EXPIRY_OPTIONS.has(word)) continue
    index += 1
    if (!/^-?\d+$/.test(words[index])) throw new Error(NO_INTEGER)
    if (Number(words[index]) <= 0) throw new Error("ERR invalid expire time in 'set' command")
  }
}

// Arity counts the command's name; a negative one is a minimum.
function checkArity(command, argumentCount) {
  const arity = ARITY.get(command)
  const count = argumentCount + 1
  if (arity === undefined || (arity >= 0 ? count === arity : count >= -arity)) return
  throw new Error(`ERR wrong number of arguments for '${command}' command`)
}

function luaError({ message }) {
  const text = message.replace(/^Error trying to loading or executing lua code string in VM: /, '')
  const bare = text.replace(/^.*?\]:\d+: /s, '').replace(/^Error: /, '')
  return new Error(/^[A-Z]+ /.test(bare) ? bare : `ERR ${bare}`)
}

function redisError(error, name, words) {
  if (
    error.message.startsWith('Unsupported command') ||
    /is not a function|apply/.test(error.message)
  ) {
    const shown = words.map((word) => `'${word}' `).join('')
    return new Error(`ERR unknown command '${name}', with args beginning with: ${shown}`)
  }
  if (/does not contain|wrong kind of value/.test(error.message)) {
    return new Error(WRONG_TYPE)
  }
  return error
}
