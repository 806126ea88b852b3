// A store of the test file's own, bridges on it, and what tests ask of them.
import { Redis } from '@upstash/redis'

import { startRedis } from '../../dev/redis.mjs'
import { startUpstash } from '../../dev/upstash/server.mjs'

let store
let names = 0

/** Starts a real Redis before the tests of a file and stops it after them. */
export function withRedis(test) {
  test.serial.before(async () => {
    store = await startRedis()
  })
  test.after.always(() => store?.stop())
}

/** A bridge of the test's own, so that its counters and faults are, too. */
export async function bridgeFor(t, options = {}) {
  const upstash = await startUpstash({ redis: store, ...options })
  t.teardown(() => upstash.stop())
  names += 1
  const key = `test-${names}`
  const client = new Redis({
    url: upstash.url,
    token: upstash.token,
    retry: false,
    enableTelemetry: false,
  })
  const send = (path, { token = upstash.token, headers, ...init } = {}) =>
    fetch(upstash.url + path, {
      method: 'POST',
      ...init,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    })
  const ask = async (path, init) => {
    const response = await send(path, init)
    return [response.status, JSON.parse(await response.text())]
  }
  const command = (...words) => ask('/', { body: JSON.stringify(words) })
  return { upstash, store, key, client, send, ask, command }
}

/** Lines of an event stream as they arrive. */
export async function openStream(bridge, path) {
  const abort = new AbortController()
  const response = await bridge.send(path, {
    body: '[]',
    headers: { accept: 'text/event-stream' },
    signal: abort.signal,
  })
  const reader = response.body.getReader()
  let bytes = Buffer.alloc(0)
  const readUntil = async (enough) => {
    while (!enough(bytes.toString())) {
      const { done, value } = await reader.read()
      if (done) return 'ended'
      bytes = Buffer.concat([bytes, value])
    }
    return bytes.toString()
  }
  return { response, readUntil, close: () => abort.abort(), chunk: () => reader.read() }
}

/** Seconds to live, asked for a moment after they were set. */
export function isNear(t, seconds, set) {
  t.true(seconds <= set && seconds > set - 20, `${seconds} of ${set} s`)
}

/** A script as the cache runs them: opens a generation and drops what was stored. */
export const INVALIDATE = `local seen = tonumber(redis.call('GET', KEYS[1]) or '0')
local generation = string.format('%.0f', math.max(seen + 1, tonumber(ARGV[1])))
redis.call('SET', KEYS[1], generation)
redis.call('DEL', KEYS[2], KEYS[3])
return generation`
