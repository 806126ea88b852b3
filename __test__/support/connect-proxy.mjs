// A proxy as companies have it: it opens a tunnel for CONNECT, sees what goes through, and can do nothing else.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'

/**
 * Starts it, and stops it after the test.
 *
 * @param {import('ava').ExecutionContext} t
 * @returns {Promise<{ port: number, targets: string[], authorizations: string[], seen(): string }>} `targets` of each CONNECT,
 *   `authorizations` that came with it, and all that was `seen` of what clients sent
 */
export async function connectProxy(t) {
  const [targets, authorizations, chunks] = [[], [], []]
  const sockets = new Set()
  const server = createServer((request, response) => {
    targets.push(`not by CONNECT: ${request.url}`)
    response.writeHead(405).end()
  })
  server.on('connect', ({ url, headers, rawHeaders }, near, head) => {
    targets.push(url)
    authorizations.push(headers['proxy-authorization'])
    chunks.push(Buffer.from(rawHeaders.join('\n')), head)
    const { hostname, port } = new URL(`https://${url}`)
    const far = connect(port, hostname, () => near.write('HTTP/1.1 200 Connected\r\n\r\n'))
    near.on('data', (chunk) => chunks.push(chunk))
    near.pipe(far).pipe(near)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address()
  return { port, targets, authorizations, seen: () => Buffer.concat(chunks).toString('latin1') }
}
