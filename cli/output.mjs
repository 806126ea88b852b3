// What a command prints: lines for people, or JSON.

import { EventEmitter } from 'node:events'

const SHOWN_CHARS = 200

export class Output extends EventEmitter {
  /** @param {{ json?: boolean }} [options] */
  constructor({ json = false } = {}) {
    super()
    this.json = json
    /** Whether nobody reads any more: `head` has seen enough. */
    this.closed = false
    process.stdout.on('error', () => {
      this.closed = true
      this.emit('closed')
    })
    process.stderr.on('error', () => {})
  }

  line(text) {
    if (!this.closed) process.stdout.write(`${text}\n`)
  }

  object(value) {
    this.line(JSON.stringify(value))
  }
}

/** What people wrote (a title) cannot forge a line. */
export function oneLine(text) {
  const line = String(text).replace(/\p{C}/gu, ' ')
  return line.length > SHOWN_CHARS ? `${line.slice(0, SHOWN_CHARS)}…` : line
}

/** Milliseconds as people read them. */
export function spell(ms) {
  if (ms === null || ms === undefined) return '-'
  if (Math.abs(ms) < 10) return `${ms.toFixed(1)} ms`
  return Math.abs(ms) < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`
}
