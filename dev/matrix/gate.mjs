// A gate in front of a server: a TCP port that stays the same while what is behind it refuses, hangs, or is well again.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { TLSSocket, createSecureContext } from 'node:tls'
import { Worker } from 'node:worker_threads'

const HOST = '127.0.0.1'
/** Below what systems take for outgoing connections: one to a closed port among those may end up with itself. */
const PORTS = { first: 10_000, last: 32_000 }
/** Linux lets one more wait than that; with these a listener is full, and leaves further SYNs unanswered. */
const BACKLOG = 1

/**
 * Opens a gate.
 *
 * @param {string} to the URL of the server behind it
 * @param {{ key: string, cert: string }} [certificate] the gate speaks TLS with it
 */
export async function openGate(to, certificate) {
  const gate = new Gate(new URL(to).port, certificate && createSecureContext(certificate))
  while (!(await gate.listen(randomPort()))) continue
  return gate
}

class Gate {
  #to
  #secureContext
  #listener
  #lines = new Set()
  #isMute = false
  #hole = null
  port

  constructor(to, secureContext) {
    this.#to = to
    this.#secureContext = secureContext
  }

  /** Whether it listens there now; false if the port is taken. */
  async listen(port) {
    this.#listener = createServer({ noDelay: true }, (near) => this.#admit(near))
    this.#listener.listen(port, HOST)
    const free = await once(this.#listener, 'listening').then(
      () => true,
      () => false,
    )
    if (free) this.port = port
    return free
  }

  /** Nobody listens there, and who is connected is thrown out. */
  refuse() {
    this.#listener.close()
    this.cut()
  }

  /** Whoever is connected, or comes, is listened to and told nothing. Those stay without an answer when it is well again. */
  mute() {
    this.#isMute = true
    for (const line of this.#lines) line.mute()
  }

  /** Who is connected hears nothing any more, and no connection comes about. Where that cannot be had, as `mute`. */
  async swallow() {
    this.mute()
    if (process.platform !== 'linux') return
    this.#listener.close()
    const workerData = { port: this.port, backlog: BACKLOG }
    const worker = new Worker(new URL('black-hole.mjs', import.meta.url), { workerData })
    await once(worker, 'message')
    const waiting = Array.from({ length: BACKLOG + 1 }, () => connect(this.port, HOST))
    this.#hole = { worker, waiting }
    for (const each of waiting) each.on('error', () => {})
    await Promise.all(waiting.map((each) => once(each, 'connect')))
  }

  /** Throws out who is connected. */
  cut() {
    for (const line of this.#lines) line.cut()
  }

  /** Well again. */
  async heal() {
    this.#isMute = false
    if (this.#hole) {
      for (const each of this.#hole.waiting) each.destroy()
      await this.#hole.worker.terminate()
      this.#hole = null
    }
    if (!this.#listener.listening && !(await this.listen(this.port)))
      throw new Error(`somebody else took port ${this.port}`)
  }

  async stop() {
    await this.#hole?.worker.terminate()
    this.#listener.close()
    this.cut()
  }

  #admit(socket) {
    socket.on('error', () => {})
    if (this.#isMute) return this.#keep({ ends: [socket.resume()], socket })
    const near = this.#secureContext
      ? new TLSSocket(socket, { isServer: true, secureContext: this.#secureContext })
      : socket
    const far = connect({ port: this.#to, host: HOST, noDelay: true })
    near.pipe(far).pipe(near)
    return this.#keep({ ends: [near, far], socket })
  }

  #keep({ ends, socket }) {
    const line = {
      mute() {
        for (const end of ends) end.unpipe().resume()
      },
      cut: () => socket.resetAndDestroy(),
    }
    this.#lines.add(line)
    for (const end of ends) {
      // What reached it from behind as a reset leaves it as one.
      end.on('error', ({ code }) => code === 'ECONNRESET' && socket.resetAndDestroy())
      end.on('close', () => {
        this.#lines.delete(line)
        for (const each of ends) each.destroy()
      })
    }
  }
}

function randomPort() {
  return PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first))
}
