// What is stored, by the rules of docs/ARCHITECTURE.md: all of it there, whole, of this generation, and with an expiry.

import { createHash } from 'node:crypto'

import { oneLine } from '../output.mjs'
import { NO_EXPIRY, steady, stringsAt } from './steady.mjs'
import { troubleOf } from './store.mjs'

const PARTS = ['active', 'version', 'config']

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string, ttlSeconds: number,
 *   signed: boolean }} parts
 * @returns {Promise<{ version: string, sha256: string } | null>} what servers are given from Redis; null if nothing is
 */
export async function examineKeys({ findings, redis, prefix, ttlSeconds, signed }) {
  let seen
  let judged
  try {
    judged = await steady(async () => {
      seen = await lookAt(redis, prefix)
      return judge(seen, { prefix, ttlSeconds, signed })
    })
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
    const { expires } = seen.active
    findings.ok(
      'keys',
      `a whole prompt of generation ${generation.value}, which expires in ${expires} s`,
    )
  }
  return judged.stored
}

async function lookAt(redis, prefix) {
  const names = [...PARTS, 'generation']
  const seen = await stringsAt(
    redis,
    names.map((name) => keyOf(prefix, name)),
  )
  return Object.fromEntries(names.map((name, index) => [name, seen[index]]))
}

const keyOf = (prefix, name) => `${prefix}:system-prompt:${name}`

/** What is wrong, the first cause alone of what follows from it; and what is served. */
function judge(seen, { prefix, ttlSeconds, signed }) {
  const key = (name) => keyOf(prefix, name)
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
      fail(`${key(name)} is no string, so something else uses this key: ${mend}`)
      return verdict()
    }
  }
  if (generation.isThere && !/^\d+$/.test(generation.value)) {
    fail(`${key('generation')} is no number, so something else wrote it: ${mend}`)
    return verdict()
  }
  if (generation.expires >= 0)
    warn(`${key('generation')} has an expiry, which this package never gives it: ${mend}`)

  const there = PARTS.filter((name) => seen[name].isThere)
  if (there.length === 0) return verdict()
  const endless = there.find((name) => seen[name].expires === NO_EXPIRY)
  const config = objectOf(seen.config.value)
  const isWhole =
    config !== null &&
    typeof config.sha256 === 'string' &&
    typeof config.version === 'string' &&
    Array.isArray(config.generations)
  if (isWhole && active.isThere && config.sha256 !== sha256(active.value)) {
    fail(
      `${key('active')} does not have the hash in ${key('config')}, so something else wrote it: ${mend}`,
    )
  } else if (seen.config.isThere && !isWhole) {
    fail(`${key('config')} was not written by this package: ${mend}`)
  } else if (there.length < PARTS.length && endless) {
    fail(`${key(endless)} has no expiry and is there alone, so something else wrote it: ${mend}`)
  } else if (there.length < PARTS.length) {
    const missing = PARTS.filter((name) => !there.includes(name)).map(key)
    fail(
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} gone while the rest is there (deleted or evicted): ${mend}`,
    )
  } else if (endless) {
    fail(`${key(endless)} has no expiry, so something else wrote it: ${mend}`)
  } else if (seen.version.value !== config.version) {
    fail(
      `${key('version')} is not the version in ${key('config')}, so something else wrote it: ${mend}`,
    )
  } else if (!generation.isThere) {
    fail(
      `${key('generation')} is gone (deleted or evicted): the next read of a server makes one; switch eviction off`,
    )
  } else if (JSON.stringify(config.generations) !== JSON.stringify([generation.value])) {
    fail(
      `${key('config')} is of generation ${oneLine(config.generations.join(', '))}, ${key('generation')} is ${generation.value}: ${mend}`,
    )
  }
  if (problems.some(({ level }) => level === 'fail')) return verdict()

  const longest = Math.max(...PARTS.map((name) => seen[name].expires))
  if (longest > ttlSeconds)
    warn(
      `what is stored expires in ${longest} s, later than ${ttlSeconds} s: give --ttl-seconds if your servers have another ttlSeconds`,
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
