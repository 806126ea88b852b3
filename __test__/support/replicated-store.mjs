// A store of one test, its replica, and what tests ask of the bridge in front of them.
import { Redis } from '@upstash/redis'

import { startStore } from '../../dev/stack.mjs'
import { until } from '../../dev/until.mjs'

/**
 * Starts it, and stops it after the test.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {{ lagMs?: number }} [replica] without it, a store without a replica
 */
export async function storeWith(t, replica) {
  const store = await startStore({ replica })
  t.teardown(() => store.stop())
  const { upstash } = store
  const send = (path, { headers, ...init }) =>
    fetch(upstash.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${upstash.token}`, ...headers },
      // A read that waits for nothing fails its own test, before the primary's ping after ten seconds could help it on.
      signal: AbortSignal.timeout(5000),
      ...init,
    })
  const ask = async (path, words, sync, init) => {
    const headers = sync === undefined ? {} : { 'upstash-sync-token': sync }
    const response = await send(path, { body: JSON.stringify(words), headers, ...init })
    const answer = await response.json()
    const replies = [answer].flat().map(({ result, error }) => error ?? result)
    return { replies, reply: replies[0], sync: response.headers.get('upstash-sync-token') }
  }
  const command = (words, sync) => ask('/', words, sync)
  const client = (options) =>
    new Redis({ url: upstash.url, token: upstash.token, retry: false, ...options })
  const waits = (reads = 1) => until(() => upstash.waitingReads === reads, `${reads} waiting reads`)
  return { ...store, send, ask, command, client, waits }
}
