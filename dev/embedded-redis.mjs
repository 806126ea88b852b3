// The in-process store for machines without redis-server: ioredis-mock, made to answer like Redis where the bridge
// and the cache's scripts need it.
//
// What it does not do: bytes that are not UTF-8 inside Lua, replies of `redis.call` as Lua tables (a status is the string
// "OK", not `{ ok = 'OK' }`; an array can be indexed and counted but is no table), nulls nested in a script's own
// tables, INCR of a non-number inside a script (it writes NaN), keyspace notifications, most commands besides the basic
// ones, Lua 5.1 (it runs Lua 5.3).

import { createRequire } from 'node:module'
import RedisMock from 'ioredis-mock'

import { answerOf, innerCallsOf, replyOf, scriptSha, wrapScript } from './embedded-lua.mjs'

const COMMANDS = createRequire(import.meta.url)('ioredis-mock/data/command-info.json')
const ARITY = new Map(COMMANDS.map(([name, arity]) => [name.toLowerCase(), arity]))
const SET_OPTIONS = new Set(['NX', 'XX', 'GET', 'EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL'])
const EXPIRY_OPTIONS = new Set(['EX', 'PX', 'EXAT', 'PXAT'])
const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'

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
    if (command === 'incr' || command === 'incrby') await this.#refuseNonInteger(words)
    if (command === 'set') checkSetOptions(words)
    // The Buffer variant of a read gives the exact bytes; of a write, the same as the plain one.
    const run = this[`${command}Buffer`] ?? this[command]
    try {
      const reply = replyOf(await run.apply(this, words))
      if (command === 'get' && Array.isArray(reply)) throw new Error(WRONG_TYPE)
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
    if (!/^-?\d+$/.test(value) || !/^-?\d+$/.test(by))
      throw new Error('ERR value is not an integer or out of range')
  }
}

// Text stays text, so that Lua can compare it; only what is not UTF-8 is handed on as bytes.
function argument(value) {
  if (!Buffer.isBuffer(value)) return String(value)
  const text = value.toString('utf8')
  return Buffer.from(text, 'utf8').equals(value) ? text : value
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
    if (!/^-?\d+$/.test(words[index]))
      throw new Error('ERR value is not an integer or out of range')
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
