// What is stored, by the rules of docs/ARCHITECTURE.md: all of it there, whole, of this generation, and with an expiry.

import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'

import { oneLine } from '../output.mjs'
import { troubleOf } from './store.mjs'

const PARTS = ['active', 'version', 'config']
const NO_KEY = -2
const NO_EXPIRY = -1
/** An invalidation, a fill or an expiry may come between two commands; what is wrong stays wrong. */
const LOOKS = 3
const BETWEEN_LOOKS_MS = 150
const FUTURE_MS = 60_000

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string, ttlSeconds: number,
 *   signed: boolean, clock: { offsetMs: number } | null }} parts
 * @returns {Promise<{ version: string, sha256: string } | null>} what servers are given from Redis; null if nothing is
 */
export async function examineKeys({ findings, redis, prefix, ttlSeconds, signed, clock }) {
  let seen
  let judged
  try {
    for (let look = 1; look <= LOOKS; look += 1) {
      if (look > 1) await wait(BETWEEN_LOOKS_MS)
      seen = await lookAt(redis, prefix)
      judged = judge(seen, { prefix, ttlSeconds, signed, clock })
      if (judged.problems.length === 0) break
    }
  } catch (error) {
    findings.fail('keys', `the keys cannot be looked at: ${troubleOf(error).message}`)
    return null
  }
  for (const { level, message } of judged.problems) findings[level]('keys', message)
  if (judged.problems.length > 0) return judged.stored
  const { generation } = seen
  if (!judged.stored) {
    const of = generation.value === null ? '' : ` since generation ${generation.value}`
    findings.ok('keys', `nothing is stored${of}; the next read of a server stores the prompt`)
  } else {
    const seconds = Math.ceil(seen.active.expiresMs / 1000)
    findings.ok(
      'keys',
      `a whole prompt of generation ${generation.value}, which expires in ${seconds} s`,
    )
  }
  return judged.stored
}

async function lookAt(redis, prefix) {
  const names = [...PARTS, 'generation']
  const values = await redis.command('MGET', ...names.map((name) => `${prefix}:${name}`))
  const seen = {}
  for (const [index, name] of names.entries()) {
    const expiresMs = await redis.command('PTTL', `${prefix}:${name}`)
    const value = values[index] === null ? null : String(values[index])
    seen[name] = { value, expiresMs, isThere: expiresMs !== NO_KEY }
  }
  return seen
}

/** What is wrong, the first cause alone of what follows from it; and what is served. */
function judge(seen, { prefix, ttlSeconds, signed, clock }) {
  const problems = []
  const fail = (message) => problems.push({ level: 'fail', message })
  const warn = (message) => problems.push({ level: 'warn', message })
  const mend =
    '`grove-shared-cache invalidate` drops it; find out who writes there, or take another keyPrefix'
  const verdict = (stored = null) => ({ problems, stored })

  const { generation, active } = seen
  for (const name of ['generation', ...PARTS]) {
    const { value, isThere } = seen[name]
    if (isThere && value === null) {
      fail(`${prefix}:${name} is no string, so something else uses this key: ${mend}`)
      return verdict()
    }
  }
  if (generation.isThere && !/^\d+$/.test(generation.value)) {
    fail(`${prefix}:system-prompt:generation is no number, so something else wrote it: ${mend}`)
    return verdict()
  }
  if (generation.expiresMs >= 0)
    warn(`${prefix}:system-prompt:generation has an expiry, which this package never gives it: ${mend}`)
  const nowMs = Date.now() + (clock?.offsetMs ?? 0)
  if (Number(generation.value) > nowMs + FUTURE_MS)
    warn(
      `${prefix}:system-prompt:generation is ${Math.round((Number(generation.value) - nowMs) / 1000)} s ahead of the time: the clock of a server is, too; generations still grow`,
    )

  const there = PARTS.filter((name) => seen[name].isThere)
  if (there.length === 0) return verdict()
  const endless = there.find((name) => seen[name].expiresMs === NO_EXPIRY)
  const config = objectOf(seen.config.value)
  const isWhole =
    config !== null && typeof config.sha256 === 'string' && typeof config.version === 'string'
  if (isWhole && active.isThere && config.sha256 !== sha256(active.value)) {
    fail(
      `${prefix}:system-prompt:active does not have the hash in ${prefix}:system-prompt:config, so something else wrote it: ${mend}`,
    )
  } else if (seen.config.isThere && !isWhole) {
    fail(`${prefix}:system-prompt:config was not written by this package: ${mend}`)
  } else if (there.length < PARTS.length && endless) {
    fail(
      `${prefix}:${endless} has no expiry and is there alone, so something else wrote it: ${mend}`,
    )
  } else if (there.length < PARTS.length) {
    const missing = PARTS.filter((name) => !there.includes(name)).map((name) => `${prefix}:${name}`)
    fail(
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} gone while the rest is there (deleted or evicted): ${mend}`,
    )
  } else if (endless) {
    fail(`${prefix}:${endless} has no expiry, so something else wrote it: ${mend}`)
  } else if (seen.version.value !== config.version) {
    fail(
      `${prefix}:system-prompt:version is not the version in ${prefix}:system-prompt:config, so something else wrote it: ${mend}`,
    )
  } else if (!generation.isThere) {
    fail(
      `${prefix}:system-prompt:generation is gone (deleted or evicted): the next read of a server makes one; switch eviction off`,
    )
  } else if (String(config.generation) !== generation.value) {
    fail(
      `${prefix}:system-prompt:config is of generation ${oneLine(config.generation)}, ${prefix}:system-prompt:generation is ${generation.value}: ${mend}`,
    )
  }
  if (problems.some(({ level }) => level === 'fail')) return verdict()

  const longest = Math.max(...PARTS.map((name) => seen[name].expiresMs))
  if (longest > ttlSeconds * 1000)
    warn(
      `what is stored expires in ${Math.ceil(longest / 1000)} s, later than ${ttlSeconds} s: give --ttl-seconds if your servers have another ttlSeconds`,
    )
  if (signed && config.signature === undefined)
    warn(
      'what is stored is not signed, so a server without SYSTEM_PROMPT_SIGNING_KEY wrote it: give all of them the key',
    )
  return verdict({ version: config.version, sha256: config.sha256 })
}

function objectOf(text) {
  try {
    const value = JSON.parse(text)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

export const sha256 = (text) => createHash('sha256').update(text).digest('hex')
