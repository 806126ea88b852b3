// A store for `doctor` to look at: whole, with few rights, or with keys that a server has filled.
import { randomUUID } from 'node:crypto'
import { promptCache } from '../../dev/prompt-cache.mjs'
import { startUpstash } from '../../dev/upstash/server.mjs'
import { until } from '../../dev/until.mjs'
import { optionsOn } from './store.mjs'

/** What the bridge asks of Redis for itself, to count what would be billed. */
const OF_THE_BRIDGE = ['+command', '+info', '+multi', '+exec']

/** A bridge of the test's own, with the environment of a server that uses it. */
export async function bridge(t, store, redis = store.store) {
  const upstash = await startUpstash({ redis })
  t.teardown(() => upstash.stop())
  const environment = {
    ...store.environment,
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: upstash.token,
  }
  return { upstash, environment }
}

/** A bridge whose token has these rights. */
export async function bridgeWithRights(t, store, ...rules) {
  const name = `user-${randomUUID()}`
  const owner = store.store.connect()
  t.teardown(() => owner.disconnect())
  await owner.call('ACL', 'SETUSER', name, 'reset', 'on', '>secret', ...rules, ...OF_THE_BRIDGE)
  const connect = (options) =>
    store.store.connect({ ...options, username: name, password: 'secret', enableReadyCheck: false })
  return bridge(t, store, { ...store.store, connect })
}

/** Keys that a server has filled. */
export async function filled(t, store, own = {}) {
  const options = optionsOn(store, own)
  const cache = promptCache(options)
  await cache.fetchActiveSystemPrompt()
  const redis = store.store.connect()
  t.teardown(() => redis.disconnect())
  const { keyPrefix: prefix } = options
  await until(() => redis.exists(`${prefix}:system-prompt:active`), 'the fill')
  await cache.close()
  return { prefix, redis, words: ['--key-prefix', prefix] }
}

/** One finding of this kind, and no other. */
export function isAll(t, wrong, level, check, message) {
  t.is(wrong.length, 1, JSON.stringify(wrong))
  t.like(wrong[0], { level, check })
  t.regex(wrong[0].message, message)
}
