// The stack of one test file, and caches on it that end with their test.
import { randomUUID } from 'node:crypto'
import { promptCache } from '../../dev/prompt-cache.mjs'
import { startStack } from '../../dev/stack.mjs'
import { until } from '../../dev/until.mjs'

/**
 * Starts the real stack before the tests of a file and stops it after them.
 *
 * @param {import('ava').TestFn} test
 * @param {Parameters<typeof startStack>[0]} [options]
 * @returns {Awaited<ReturnType<typeof startStack>>} filled in before the first test
 */
export function withStack(test, options) {
  const stack = {}
  test.serial.before(async () => {
    Object.assign(stack, await startStack(options))
  })
  test.after.always(() => stack.stop?.())
  return stack
}

const QUIET_MS = 250

/** Options of an instance whose every read asks: nothing is served under a lease. */
export const ASKING = { maxStalenessMs: 0 }

/**
 * Caches of one fleet: as many instances as are asked for, on keys that no other test uses.
 *
 * @returns {{ prefix: string, lines: { level: string, message: string }[],
 *   instance(options?: object): object }}
 */
export function fleet(stack, shared = {}) {
  const prefix = `test:${randomUUID()}`
  const lines = []
  const options = {
    upstashUrl: stack.upstash.url,
    upstashToken: stack.upstash.token,
    supabaseUrl: stack.supabase.url,
    supabaseKey: stack.supabase.serviceKey,
    keyPrefix: prefix,
    // Long enough for a loaded machine; tests of timeouts have their own.
    redisTimeoutMs: 5000,
    sourceTimeoutMs: 10_000,
    logLevel: 'debug',
    onLog: (line) => lines.push(line),
    ...shared,
  }
  return {
    prefix,
    lines,
    instance: (own = {}) => promptCache({ ...options, ...own }),
  }
}

/** Until the store lists a cache as a member: it may hold a lease then, and receipts wait for it. */
export function listed({ redis }, prefix, cache) {
  const { instance } = cache.stats()
  return until(
    () => redis.hexists(`${prefix}:members`, instance),
    `instance ${instance} to be listed`,
  )
}

/** Until what is sent beside reads is through: for some time, no command has come. */
export function quiet({ upstash }) {
  let last = { commands: -1, since: 0 }
  return until(() => {
    const { commands } = upstash
    if (commands !== last.commands) last = { commands, since: performance.now() }
    return performance.now() - last.since > QUIET_MS
  }, 'no more commands')
}
