// Redis by Upstash's REST protocol, one command at a time, as the addon speaks it.

import { Server } from './server.mjs'
import { Trouble } from './trouble.mjs'

const NAMES = {
  who: 'the database',
  variable: 'UPSTASH_REDIS_REST_URL',
  console: 'the Upstash console',
}

/** A refusal by the token's rights, by itself and inside of a script. */
const PERMISSION = /NOPERM|ACL failure|can't run this command/

export class Redis {
  #server
  #token

  /** @param {{ url: string, token: string, timeoutMs: number }} options */
  constructor({ url, token, timeoutMs }) {
    this.#server = new Server({ url, timeoutMs, names: NAMES })
    this.#token = token
  }

  get timeoutMs() {
    return this.#server.timeoutMs
  }

  close() {
    this.#server.close()
  }

  /** The result of a command. @param {...(string | number)} words @throws {Trouble} */
  async command(...words) {
    return (await this.timed(...words)).result
  }

  /**
   * A command's result, how long it took, and what the server's clock said.
   *
   * @returns {Promise<{ result: unknown, ms: number, date: { serverMs: number, localMs: number } | null }>}
   * @throws {Trouble}
   */
  async timed(...words) {
    const answer = await this.#server.ask({
      method: 'POST',
      headers: { ...this.#headers(), 'content-type': 'application/json' },
      body: JSON.stringify(words),
    })
    return { result: resultOf(answer), ms: answer.ms, date: answer.date }
  }

  /** The lines of a subscription, as they come. @throws {Trouble} */
  async subscribe(channel) {
    const response = await this.#server.stream({
      method: 'POST',
      path: `/subscribe/${channel}`,
      headers: {
        ...this.#headers(),
        accept: 'text/event-stream',
        'cache-control': 'no-cache',
        'content-type': 'application/json',
      },
      body: '[]',
    })
    const type = response.headers['content-type'] ?? ''
    if (response.statusCode === 200 && type.includes('text/event-stream')) return response
    const text = Buffer.concat(await response.toArray()).toString()
    resultOf({ status: response.statusCode, type, text })
    throw new Trouble('protocol', `answers a subscription with ${type || 'no content-type'}`)
  }

  #headers() {
    return { authorization: `Bearer ${this.#token}` }
  }
}

function resultOf({ status, type, text }) {
  const body = objectOf(text)
  const error = typeof body?.error === 'string' ? body.error : ''
  const code = /^[A-Z]{2,16}\b/.exec(error)?.[0]
  if (status === 200 && body && Object.hasOwn(body, 'result')) return body.result
  if (PERMISSION.test(error))
    throw new Trouble('permission', 'is not permitted', { code: 'NOPERM' })
  if (status === 401 || status === 403)
    throw new Trouble(
      'unauthorized',
      `the token is not accepted (status ${status}): copy UPSTASH_REDIS_REST_TOKEN of the same database from the Upstash console`,
    )
  if (/capacity quota exceeded/.test(error))
    throw new Trouble(
      'full',
      'the database is full and takes no writes: delete keys, or enlarge the plan',
    )
  if (status === 429 || /^ERR max .*limit exceeded|quota exceeded/.test(error))
    throw new Trouble(
      'quota',
      'a limit of the Upstash plan is used up: look at the usage in the Upstash console, and enlarge the plan or wait until it begins anew',
    )
  if (code === 'WRONGTYPE') throw new Trouble('type', 'holds another type', { code })
  if (status === 400 && body && error)
    throw new Trouble('rejected', `the command was rejected (${code ?? 'an error'})`, { code })
  if (status >= 500)
    throw new Trouble(
      'status',
      `answers with status ${status}: look at the state of the database in the Upstash console, and try again`,
    )
  throw new Trouble(
    'protocol',
    `what answers is no Upstash REST API (status ${status}, ${mediaType(type)}): UPSTASH_REDIS_REST_URL is another address; copy it from the Upstash console`,
  )
}

function objectOf(text) {
  try {
    const value = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

const mediaType = (type) => /^[\w.+-]+\/[\w.+-]+/.exec(type)?.[0] ?? 'no content-type'
