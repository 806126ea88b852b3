// TLS in front of a server of the stack, as a cloud has it, and the line before that, which can go dead.
//
// `tls/` has an authority of these tests alone, and the key and certificate of 127.0.0.1 that it signed; its own key was
// thrown away.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer as createTcpServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const pem = (name) => new URL(`tls/${name}.pem`, import.meta.url)

/** The file to name in NODE_EXTRA_CA_CERTS. */
export const AUTHORITY = fileURLToPath(pem('authority'))

/** Headers that belong to one connection, and those that HTTP/2 has in place of the first line. */
const OF_THE_CONNECTION = /^(:.*|connection|keep-alive|transfer-encoding|host)$/

/**
 * Starts it, and stops it after the test.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {string} to the URL of the server behind it
 * @param {{ http2?: boolean }} [options] `http2`: whether it speaks that, or HTTP/1.1; true by default
 * @returns {Promise<{ url: string, connections: number, versions: string[], vanish(): void }>} `versions`: the HTTP version of
 *   each request; `vanish`: what is connected now hears nothing any more, and is not told
 */
export async function tlsFront(t, to, { http2 = true } = {}) {
  const versions = []
  const certificate = { key: readFileSync(pem('server-key')), cert: readFileSync(pem('server')) }
  const create = http2 ? createSecureServer : createHttpsServer
  const server = create(certificate, (incoming, outgoing) => {
    versions.push(incoming.httpVersion)
    forward(incoming, outgoing, to)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const line = await lineTo(server.address().port)
  t.teardown(() => {
    line.stop()
    server.close()
  })
  return {
    url: `https://127.0.0.1:${line.port}`,
    versions,
    get connections() {
      return line.connections
    },
    vanish: line.vanish,
  }
}

function forward(incoming, outgoing, to) {
  const headers = withoutConnection(incoming.headers)
  const behind = request(new URL(incoming.url, to), { method: incoming.method, headers })
  behind.on('response', (answer) => {
    outgoing.writeHead(answer.statusCode, withoutConnection(answer.headers))
    answer.pipe(outgoing)
  })
  behind.on('error', () => outgoing.destroy())
  outgoing.on('close', () => behind.destroy())
  incoming.pipe(behind)
}

function withoutConnection(headers) {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !OF_THE_CONNECTION.test(name)),
  )
}

async function lineTo(port) {
  const open = new Set()
  let connections = 0
  const server = createTcpServer((near) => {
    connections += 1
    const far = connect(port, '127.0.0.1')
    near.pipe(far).pipe(near)
    const ends = [near, far]
    open.add(ends)
    for (const end of ends) {
      end.on('error', () => {})
      end.on('close', () => {
        open.delete(ends)
        for (const each of ends) each.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    get connections() {
      return connections
    },
    vanish() {
      for (const [near, far] of open) {
        near.unpipe(far)
        far.unpipe(near)
        for (const end of [near, far]) end.resume()
      }
    },
    stop() {
      server.close()
      for (const ends of open) for (const end of ends) end.destroy()
    },
  }
}
