// Server-sent events as they leave the bridge, in every framing that a client has to live with, and the ways in
// which a stream can die: a clean end, a reset, silence.

import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * @typedef {object} Framing
 * @property {'\n\n' | '\n' | '\r\n' | '\r\n\r\n'} [ending] what follows a `data:` line; blank line by default
 * @property {boolean} [comments] a `: keep-alive` comment before each event
 * @property {boolean} [space] `data: x` (default) or `data:x`
 * @property {'whole' | 'bytes' | 'split-utf8'} [chunks] how an event is cut into writes: not at all, after every byte,
 *   inside every multi-byte character
 */

const DEFAULT_FRAMING = { ending: '\n\n', comments: false, space: true, chunks: 'whole' }

/** All streams that are open on one server. */
export class EventStreams {
  #open = new Set()
  #framing = DEFAULT_FRAMING
  #silent = false

  /** How many streams are open. */
  get size() {
    return this.#open.size
  }

  /**
   * Turns a response into a stream. Its `send` writes one event in the framing of that moment, after those before it.
   *
   * @param {import('node:http').ServerResponse} response
   * @param {Record<string, string>} [headers]
   * @returns {{ send(text: string | Buffer): void, closed: Promise<void> }}
   */
  open(response, headers = {}) {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      ...headers,
    })
    response.flushHeaders()
    const entry = { response, written: Promise.resolve() }
    const closed = new Promise((resolve) => {
      response.once('close', () => {
        this.#open.delete(entry)
        resolve()
      })
    })
    this.#open.add(entry)
    return { send: (text) => this.#write(entry, this.#frame(text)), closed }
  }

  /** Sets how events are written from now on; what is not named gets its default. @param {Framing} framing */
  frame(framing = {}) {
    this.#framing = { ...DEFAULT_FRAMING, ...framing }
  }

  /** Sends a comment line to every open stream, as proxies and servers do to keep it alive. */
  sendComment(text = 'keep-alive') {
    for (const entry of this.#open) this.#write(entry, [Buffer.from(`: ${text}\n\n`)])
  }

  /** Ends every open stream: cleanly, or with a connection reset. */
  kill({ reset = false } = {}) {
    for (const { response } of this.#open) {
      if (reset) response.socket?.resetAndDestroy()
      else response.end()
    }
  }

  /** Keeps all streams open but writes nothing more to them, until `silence(false)`. What is lost meanwhile stays lost. */
  silence(silent = true) {
    this.#silent = silent
  }

  #frame(text) {
    const { ending, comments, space, chunks } = this.#framing
    const event = Buffer.concat([
      Buffer.from(comments ? `: keep-alive${ending}` : ''),
      Buffer.from(space ? 'data: ' : 'data:'),
      Buffer.from(text),
      Buffer.from(ending),
    ])
    if (chunks === 'bytes') return cutAt(event, () => true)
    if (chunks === 'split-utf8') return cutAt(event, (byte) => (byte & 0xc0) === 0x80)
    return [event]
  }

  #write(entry, parts) {
    if (this.#silent) return
    entry.written = entry.written.then(async () => {
      for (const part of parts) {
        if (entry.response.writableEnded || entry.response.destroyed) return
        entry.response.write(part)
        // One turn per part, so that each leaves in a write of its own.
        if (parts.length > 1) await nextTurn()
      }
    })
  }
}

function cutAt(buffer, startsPart) {
  const parts = []
  let start = 0
  for (let index = 1; index < buffer.length; index += 1) {
    if (!startsPart(buffer[index])) continue
    parts.push(buffer.subarray(start, index))
    start = index
  }
  parts.push(buffer.subarray(start))
  return parts
}
