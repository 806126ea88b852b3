// The store behind the bridge: a real redis-server where one is installed, else the embedded one.

import { spawnSync } from 'node:child_process'
import Redis from 'ioredis'

import { startChild } from './child.mjs'
import { startEmbeddedRedis } from './embedded-redis.mjs'
import { freePort } from './loopback.mjs'

const ATTEMPTS = 5

/** Whether a redis-server can be started here. */
export function redisServerInstalled() {
  return spawnSync('redis-server', ['--version']).status === 0
}

/**
 * Starts an empty Redis without persistence.
 *
 * @param {{ embedded?: boolean }} [options] `embedded` asks for the in-process store even where redis-server exists
 * @returns {Promise<{ kind: 'redis-server' | 'embedded', url: string | null, connect(options?: object): Redis,
 *   stop(): Promise<void> }>} `connect` gives a new client on the same data; `stop` also closes the clients
 */
export async function startRedis({ embedded = false } = {}) {
  return embedded || !redisServerInstalled() ? startEmbeddedRedis() : startRedisServer()
}

/** Starts a redis-server with further arguments; the same shape as `startRedis` gives. @param {string[]} [args] */
export async function startRedisServer(args = []) {
  const { port, server } = await startServer(args)
  const clients = new Set()
  const connect = (options = {}) => {
    const client = new Redis({ host: '127.0.0.1', port, ...options })
    // Without a listener ioredis prints every refused reconnect; a command under way fails with the same error.
    client.on('error', () => {})
    client.once('end', () => clients.delete(client))
    clients.add(client)
    return client
  }
  const stop = async () => {
    for (const client of clients) client.disconnect()
    await server.stop()
  }
  return { kind: 'redis-server', url: `redis://127.0.0.1:${port}`, connect, stop }
}

async function startServer(args) {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort()
    try {
      const server = await startChild(
        'redis-server',
        (directory) => [
          '--bind',
          '127.0.0.1',
          '--port',
          String(port),
          '--dir',
          directory,
          '--save',
          '',
          '--appendonly',
          'no',
          // A replica gets its first copy as soon as it asks.
          '--repl-diskless-sync',
          'yes',
          '--repl-diskless-sync-delay',
          '0',
          ...args,
        ],
        { ready: ({ printed }) => printed('Ready to accept connections') },
      )
      return { port, server }
    } catch (error) {
      // Another program may have taken the port since it was found free.
      if (attempt === ATTEMPTS || !error.message.includes('in use')) throw error
    }
  }
}
