// A TCP link on which the server's bytes arrive late, in their order, or not at all until they are released. What the
// client sends passes at once.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'

const LONGEST_LAG_MS = 2 ** 31 - 1

/**
 * Opens a link to `port` of 127.0.0.1. It starts without lag.
 *
 * @param {{ port: number }} options
 * @returns {Promise<{ port: number, setLag(ms: number): void, hold(): void, release(): void, stop(): Promise<void> }>}
 *   clients connect to `port`; `setLag` and `release` apply to the bytes under way, too
 */
export async function startLaggingLink({ port }) {
  const lag = { ms: 0, held: false }
  const sockets = new Set()
  const deliveries = new Set()
  const deliver = () => {
    for (const delivery of deliveries) delivery.deliver()
  }

  const link = createServer({ noDelay: true }, (client) => {
    const server = connect({ port, host: '127.0.0.1', noDelay: true })
    const delivery = new Delivery(client, lag)
    deliveries.add(delivery)
    client.on('data', (chunk) => server.write(chunk))
    server.on('data', (chunk) => delivery.take(chunk))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        sockets.delete(socket)
        deliveries.delete(delivery)
        delivery.drop()
        other.destroy()
      })
    }
  })
  link.listen(0, '127.0.0.1')
  await once(link, 'listening')

  return {
    port: link.address().port,
    setLag(ms) {
      if (!(ms >= 0 && ms <= LONGEST_LAG_MS)) throw new RangeError(`no lag of ${ms} ms`)
      lag.ms = ms
      deliver()
    },
    hold() {
      lag.held = true
    },
    release() {
      lag.held = false
      deliver()
    },
    async stop() {
      const closed = once(link, 'close')
      link.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** The bytes under way to one client. */
class Delivery {
  #client
  #lag
  #underWay = []
  #timer

  constructor(client, lag) {
    this.#client = client
    this.#lag = lag
  }

  take(chunk) {
    this.#underWay.push({ chunk, since: performance.now() })
    this.deliver()
  }

  /** Hands over what has been under way for long enough. */
  deliver() {
    clearTimeout(this.#timer)
    while (this.#underWay.length > 0 && !this.#lag.held) {
      const [{ chunk, since }] = this.#underWay
      const left = since + this.#lag.ms - performance.now()
      if (left > 0) {
        this.#timer = setTimeout(() => this.deliver(), Math.ceil(left))
        return
      }
      this.#underWay.shift()
      this.#client.write(chunk)
    }
  }

  drop() {
    clearTimeout(this.#timer)
    this.#underWay = []
  }
}
