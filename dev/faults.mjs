// Faults that can be switched on and off in front of any of the stack's servers while clients are connected.
//
// One fault at a time. A fault sees a request before the server does; those that distort the answer (`reset`, `drip`,
// `truncated`, `garbled`) let the server compute it first, so that clients meet a real answer, cut or slowed.

import { pipeline } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'

import { CapturedResponse } from './captured-response.mjs'
import { EventStreams } from './event-streams.mjs'

/**
 * @typedef {object} Fault
 * @property {'delay' | 'hang' | 'status' | 'reset' | 'drip' | 'truncated' | 'garbage' | 'wrongJson' |
 *   'garbled' | 'huge' | 'redirect' | 'closeIdle'} kind
 * @property {number} [times] how many requests it hits before it clears itself; without it, all
 * @property {(request: import('node:http').IncomingMessage) => boolean} [match] which requests it hits; default all
 * @property {number} [ms] `delay`: before the server sees the request; `drip`: between two bytes (100)
 * @property {number} [afterMs] `delay`: before the client sees the answer, whole; not for event streams
 * @property {number} [code] `status` (503), `redirect` (302)
 * @property {string | Buffer} [body] `status`, `garbage`, `wrongJson`
 * @property {string} [contentType] `status`, `garbage`: of the body
 * @property {Record<string, string>} [headers] `status`: further headers, such as retry-after
 * @property {string} [text] `garbled`: in place of each string in the server's answer, which is JSON
 * @property {number} [bytes] `huge`: size of the body (8 MiB)
 * @property {boolean} [announced] `huge`: whether the head tells the size (true)
 * @property {string} [location] `redirect`
 * @property {boolean} [rst] `closeIdle`: close by a reset instead of an orderly end
 */

/**
 * Puts the fault layer in front of a server.
 *
 * @param {(request, response, streams: EventStreams) => void} listener the server; it opens event streams by `streams`
 * @returns {{ listener: import('node:http').RequestListener, faults: Faults }}
 */
export function withFaults(listener) {
  const faults = new Faults()
  const faulty = (request, response) => {
    // A socket that has carried an answer is what a keep-alive client takes from its pool.
    const { socket } = request
    response.once('finish', () => faults.answered.add(socket))
    const fault = faults.take(request)
    if (!fault) return listener(request, response, faults.streams)
    const forward = (answer) => listener(request, answer, faults.streams)
    return KINDS[fault.kind]({ fault, request, response, forward }).catch(() => socket.destroy())
  }
  return { listener: faulty, faults }
}

/** The switch of one server's faults. */
export class Faults {
  #fault = null
  #left = 0
  /** Event streams of this server. */
  streams = new EventStreams()
  /** Sockets that have carried at least one whole answer. */
  answered = new WeakSet()
  /** How many requests the faults have hit so far. */
  hits = 0

  /** Switches a fault on, in place of the one before. @param {Fault} fault */
  set(fault) {
    if (!Object.hasOwn(KINDS, fault.kind)) throw new TypeError(`no fault of kind ${fault.kind}`)
    this.#fault = fault
    this.#left = fault.times ?? Infinity
  }

  /** Switches the fault off. Requests it already holds stay held until their client or the server goes. */
  clear() {
    this.#fault = null
  }

  /** Ends all event streams. @param {{ reset?: boolean }} [options] */
  killStreams(options) {
    this.streams.kill(options)
  }

  /** Keeps the event streams open and mute, until called with `false`. */
  silenceStreams(silent = true) {
    this.streams.silence(silent)
  }

  /** Sets the framing of events. @param {import('./event-streams.mjs').Framing} [framing] */
  frameStreams(framing) {
    this.streams.frame(framing)
  }

  /** The fault that this request meets, if any. */
  take(request) {
    const fault = this.#fault
    if (!fault || (fault.match && !fault.match(request))) return null
    if (fault.kind === 'closeIdle' && !this.answered.has(request.socket)) return null
    if (BODY_KINDS.has(fault.kind) && isEventStream(request)) return null
    this.hits += 1
    this.#left -= 1
    if (this.#left <= 0) this.#fault = null
    return fault
  }
}

const BODY_KINDS = new Set(['reset', 'drip', 'truncated', 'garbled'])

const KINDS = {
  async delay({ fault, response, forward }) {
    const { ms, afterMs } = fault
    await wait(ms, undefined, { ref: false })
    if (response.destroyed) return
    if (!afterMs) return forward(response)
    const { status, headers, body } = await CapturedResponse.of(forward)
    await wait(afterMs, undefined, { ref: false })
    response.writeHead(status, { ...headers, 'content-length': String(body.length) })
    response.end(body)
  },

  async hang() {},

  async status({ fault, response }) {
    const { code = 503, body = '', contentType = 'application/json', headers = {} } = fault
    send(response, code, { 'content-type': contentType, ...headers }, body)
  },

  async reset({ response, forward }) {
    const { status, headers, body } = await CapturedResponse.of(forward)
    response.writeHead(status, { ...headers, 'content-length': String(body.length + 1) })
    response.write(body.subarray(0, body.length / 2), () => response.socket?.resetAndDestroy())
  },

  async drip({ fault, response, forward }) {
    const { status, headers, body } = await CapturedResponse.of(forward)
    response.writeHead(status, { ...headers, 'content-length': String(body.length) })
    response.flushHeaders()
    for (let index = 0; index < body.length && !response.destroyed; index += 1) {
      response.write(body.subarray(index, index + 1))
      await wait(fault.ms ?? 100, undefined, { ref: false })
    }
    response.end()
  },

  async truncated({ response, forward }) {
    const { status, headers, body } = await CapturedResponse.of(forward)
    response.writeHead(status, { ...headers, 'content-length': String(body.length + 100) })
    // An orderly end of the connection, with less in it than was promised.
    response.write(body, () => response.socket?.end())
  },

  async garbage({ fault, response }) {
    const { body = '{"result":"OK', contentType = 'application/json' } = fault
    send(response, 200, { 'content-type': contentType }, body)
  },

  async wrongJson({ fault, response }) {
    const { body = '{"unexpected":[1,{"shape":true}]}' } = fault
    send(response, 200, { 'content-type': 'application/json' }, body)
  },

  async garbled({ fault, request, response, forward }) {
    // What is compressed could not be read here.
    delete request.headers['accept-encoding']
    const { status, headers, body } = await CapturedResponse.of(forward)
    const garbled = (_name, value) => (typeof value === 'string' ? fault.text : value)
    send(response, status, headers, JSON.stringify(JSON.parse(body), garbled))
  },

  async huge({ fault, response }) {
    const { bytes = 8 * 1024 * 1024, announced = true } = fault
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(announced && { 'content-length': String(bytes) }),
    })
    await pipeline(hugeAnswer(bytes), response)
  },

  async redirect({ fault, response }) {
    send(response, fault.code ?? 302, { location: fault.location }, '')
  },

  // The race of a pooled connection: the server closes it just when the client's next request is on its way.
  async closeIdle({ fault, request }) {
    if (fault.rst) request.socket.resetAndDestroy()
    else request.socket.destroy()
  },
}

function send(response, status, headers, body) {
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
  response.end(body)
}

function* hugeAnswer(bytes) {
  const [before, after] = ['{"result":"', '"}']
  const block = Buffer.alloc(64 * 1024, 'a')
  yield before
  for (let left = bytes - before.length - after.length; left > 0; left -= block.length) {
    yield block.subarray(0, Math.min(left, block.length))
  }
  yield after
}

function isEventStream(request) {
  return (request.headers.accept ?? '').includes('text/event-stream')
}
