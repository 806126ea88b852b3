// Instances of the Express example, or of another server with its routes: real processes on free ports.

import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SERVER = fileURLToPath(new URL('../examples/express/server.mjs', import.meta.url))
const LEASH = new URL('leash.mjs', import.meta.url).href
const LISTENING = /^Listening on (http:\/\/\S+)$/
const LINES_KEPT = 20
const READY_WITHIN_MS = 20_000
const STOP_WITHIN_MS = 10_000

/**
 * Starts instances that share an environment; if one does not start, none stays.
 *
 * @param {object} options
 * @param {Record<string, string>} options.environment their whole environment, beside PATH, HOST and PORT
 * @param {number} [options.count]
 * @param {(name: string, line: string) => void} [options.onLine] told each line that an instance prints
 * @param {string} [options.program] the server, run in its folder; default: the example
 * @returns {Promise<Instance[]>} named instance-1, instance-2, …
 */
export async function startInstances({ environment, count = 3, onLine, program }) {
  const names = Array.from({ length: count }, (_, index) => `instance-${index + 1}`)
  const starting = names.map((name) => startInstance({ name, environment, onLine, program }))
  const settled = await Promise.allSettled(starting)
  const failure = settled.find(({ status }) => status === 'rejected')
  if (!failure) return settled.map(({ value }) => value)
  await Promise.all(settled.map(({ value }) => value?.stop()))
  throw failure.reason
}

/**
 * Starts one instance and waits until it listens.
 *
 * @param {object} options as `startInstances` has them
 * @returns {Promise<Instance>} the error of a failed start carries what the process printed, unless
 *   `onLine` was told it
 */
export async function startInstance({ name = 'instance', environment, onLine, program = SERVER }) {
  const child = spawn(process.execPath, ['--import', LEASH, program], {
    cwd: dirname(program),
    env: { PATH: process.env.PATH ?? '', ...environment, HOST: '127.0.0.1', PORT: '0' },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C in a terminal goes to the parent, which then decides the order of stopping.
    detached: true,
  })
  child.stdin.on('error', () => {})
  const ended = new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const lines = []
  let timer
  try {
    const url = await new Promise((resolve, reject) => {
      const read = (line) => {
        lines.push(line)
        if (lines.length > LINES_KEPT) lines.shift()
        onLine?.(name, line)
        const listening = LISTENING.exec(line)
        if (listening) resolve(listening[1])
      }
      for (const output of [child.stdout, child.stderr])
        createInterface({ input: output }).on('line', read)
      const fail = (what) =>
        reject(new Error([`${name} ${what}`, ...(onLine ? [] : lines)].join('\n')))
      child.once('error', (error) => fail(`did not start: ${error.message}`))
      ended.then((end) => fail(`ended with ${inWords(end)} before it listened`))
      timer = setTimeout(() => fail(`did not listen within ${READY_WITHIN_MS} ms`), READY_WITHIN_MS)
    })
    return new Instance({ name, url, child, ended })
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** How a process ended, for people. */
export function inWords({ code, signal }) {
  return signal ? `signal ${signal}` : `status ${code}`
}

/** A running server, and its routes as a client sees them. */
class Instance {
  #child

  constructor({ name, url, child, ended }) {
    this.name = name
    this.url = url
    this.pid = child.pid
    /** Resolves to `{ code, signal }` when the process is gone. */
    this.ended = ended
    this.#child = child
  }

  /** Opens a chat session. */
  chat() {
    return this.#ask('POST', '/api/chat/init')
  }

  invalidate() {
    return this.#ask('POST', '/api/cache/invalidate', { type: 'system-prompt' })
  }

  debug() {
    return this.#ask('GET', '/api/debug/system-prompt')
  }

  lens(id) {
    return this.#ask('GET', `/api/lens/${encodeURIComponent(id)}`)
  }

  /** Tells it of a changed row as Supabase does. @param {object} change as `dev/lens-edits.mjs` gives it */
  webhook(change, secret) {
    return this.#ask('POST', '/hooks/supabase', change, { authorization: `Bearer ${secret}` })
  }

  /** Asks it to close, and kills it if it does not. @returns {Promise<{ code: number, signal: string }>} */
  async stop() {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS)
    const end = await this.ended
    clearTimeout(timer)
    return end
  }

  async #ask(method, path, body, headers) {
    const response = await fetch(this.url + path, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok)
      throw new Error(
        `${this.name}: ${method} ${path} was answered with ${response.status} ${text}`,
      )
    return JSON.parse(text)
  }
}
