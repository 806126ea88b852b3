// Whether an announcement arrives: a stream, a PUBLISH, and back.

import { randomBytes } from 'node:crypto'

import { spell } from '../output.mjs'
import { troubleOf } from './store.mjs'
import { Trouble } from './trouble.mjs'

const LONGEST_LINE = 64 << 10
const UNBUFFERED = 'let what is between (proxy) pass text/event-stream unbuffered'
const WITHOUT = 'changes are seen when a lease ends (`push: false` saves the attempts)'

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string }} parts
 */
export async function examinePush({ findings, redis, prefix }) {
  const events = `${prefix}:events`
  const id = randomBytes(8).toString('hex')
  try {
    const ms = await ownChannelOr(events, { redis, prefix, id })
    findings.ok('push', `what is published on ${events} arrives, after ${spell(ms)}`)
  } catch (error) {
    const { kind, message } = troubleOf(error)
    if (kind === 'permission')
      findings.fail(
        'push',
        `the token may not ${message} on ${events}: give its ACL user +subscribe, +publish and &${events}, as docs/SECURITY.md has it`,
      )
    else if (kind === 'closed' || kind === 'silent')
      findings.warn('push', `${message}; until then changes are seen when a lease ends`)
    else findings.warn('push', `no stream (${message}); ${WITHOUT}`)
  }
}

// On a channel of its own, which no server hears. A token by docs/SECURITY.md may use the servers' channel alone: what is
// sent there then is no announcement, and they ignore it.
async function ownChannelOr(events, { redis, prefix, id }) {
  const own = `${prefix}:doctor:${id}`
  let ms
  try {
    ms = await roundTrip(redis, own, id)
  } catch (error) {
    const { kind } = troubleOf(error)
    if (!['permission', 'status', 'unauthorized', 'rejected'].includes(kind)) throw error
    return roundTrip(redis, events, JSON.stringify({ v: 0, doctor: id }))
  }
  const stream = await open(redis, events)
  stream.close()
  return ms
}

async function roundTrip(redis, channel, message) {
  const stream = await open(redis, channel)
  try {
    const begun = performance.now()
    const heard = stream.line((line) => line === `message,${channel},${message}`)
    // Looked at below, after what the command says.
    heard.catch(() => {})
    const receivers = await mayPublish(redis.command('PUBLISH', channel, message))
    // A database in several regions may count its own subscribers only: the count explains, and does not decide.
    await heard.catch((error) => {
      throw receivers === 0 && troubleOf(error).kind === 'silent' ? elsewhere() : error
    })
    return performance.now() - begun
  } finally {
    stream.close()
  }
}

function elsewhere() {
  return new Trouble(
    'silent',
    'the stream is open, but Redis knows of no subscriber: what answers the stream is not what takes the commands (a proxy, another database)',
  )
}

async function mayPublish(published) {
  try {
    return await published
  } catch (error) {
    if (troubleOf(error).kind === 'permission') throw new Trouble('permission', 'PUBLISH')
    throw error
  }
}

/** A stream that has said that it is subscribed. */
async function open(redis, channel) {
  let response
  try {
    response = await redis.subscribe(channel)
  } catch (error) {
    const { kind } = troubleOf(error)
    if (kind === 'permission') throw new Trouble('permission', 'SUBSCRIBE')
    // Commands are answered, so it is not Redis.
    if (kind === 'timeout')
      throw new Trouble(
        'silent',
        `the stream is not opened within ${redis.timeoutMs} ms: ${UNBUFFERED}`,
      )
    throw error
  }
  const stream = new Lines(response, redis.timeoutMs)
  try {
    await stream.line((line) => line.startsWith(`subscribe,${channel},`))
    return stream
  } catch (error) {
    stream.close()
    throw error
  }
}

/** The events of a stream, one `data:` line each. */
class Lines {
  #response
  #timeoutMs
  #rest = ''
  #lines = []
  #ended = false
  #wake = () => {}

  constructor(response, timeoutMs) {
    this.#response = response
    this.#timeoutMs = timeoutMs
    response.setEncoding('utf8')
    response.on('data', (text) => this.#take(text))
    for (const event of ['end', 'error', 'close'])
      response.on(event, () => {
        this.#ended = true
        this.#wake()
      })
  }

  close() {
    this.#response.destroy()
  }

  /** Resolves when such a line has come. @throws {Trouble} */
  async line(wanted) {
    const last = performance.now() + this.#timeoutMs
    for (;;) {
      while (this.#lines.length > 0) if (wanted(this.#lines.shift())) return
      if (this.#ended)
        throw new Trouble(
          'closed',
          'the stream is closed by the other side: let what is between (proxy, firewall) keep text/event-stream open',
        )
      const left = last - performance.now()
      if (left <= 0)
        throw new Trouble(
          'silent',
          `the stream is open, but nothing arrives within ${this.#timeoutMs} ms: ${UNBUFFERED}`,
        )
      await this.#more(left)
    }
  }

  #more(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #take(text) {
    const lines = (this.#rest + text).split(/\r?\n/)
    this.#rest = lines.pop().slice(0, LONGEST_LINE)
    for (const line of lines) {
      const data = /^data: ?(.*)$/.exec(line)
      if (data) this.#lines.push(data[1])
    }
    this.#wake()
  }
}
