// Loopback HTTP servers on free ports, as every part of the stack needs them.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'

/**
 * Serves `listener` on a free port of 127.0.0.1.
 *
 * @param {import('node:http').RequestListener} listener
 * @param {import('node:http').ServerOptions} [options]
 * @returns {Promise<{ url: string, stop(): Promise<void> }>} `stop` also ends requests and streams under way
 */
export async function serve(listener, options = {}) {
  // Longer than any test, so that only a fault closes an idle connection.
  const server = createServer({ keepAliveTimeout: 120_000, noDelay: true, ...options }, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { url: `http://127.0.0.1:${server.address().port}`, stop }
}

/** A port that was free a moment ago, for programs that cannot be asked to pick one themselves. */
export async function freePort() {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/**
 * The body of a request.
 *
 * @param {import('node:http').IncomingMessage} request
 * @param {number} [limitBytes]
 * @returns {Promise<{ body: Buffer, bytes: number, tooLarge: boolean }>} a body over the limit is read and thrown away,
 *   so that the client can finish writing and read the refusal
 */
export async function readBody(request, limitBytes = Infinity) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes <= limitBytes) chunks.push(chunk)
  }
  const tooLarge = bytes > limitBytes
  return { body: tooLarge ? Buffer.alloc(0) : Buffer.concat(chunks), bytes, tooLarge }
}
