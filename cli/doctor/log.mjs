// The counter of invalidations, and the log of the last ones, which instances find out by what they have missed.

import { steady, stringsAt } from './steady.mjs'
import { troubleOf } from './store.mjs'
import { tryInScript } from './trial.mjs'

const FUTURE_MS = 60_000
/** A counter begins at the wall clock in milliseconds, times this. */
const PER_MS = 1000
/** What an invalidation runs in a script, and a validation. */
const LOGGING = [
  `'INCR', KEYS[1]`,
  `'INCRBY', KEYS[1], 0`,
  `'XADD', KEYS[1], '*', 'x', 'x'`,
  `'XREVRANGE', KEYS[1], '+', '-'`,
]
const COMMANDS = ['INCR', 'INCRBY', 'XADD', 'XREVRANGE']
const FIELDS = ['previous', 'sequence', 'scope', 'notes']

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string, clock: { offsetMs:
 *   number } | null, isNeeded: boolean, writes: boolean }} parts `isNeeded`: whether something is stored, which is of a sequence; `writes`: whether
 *   the token may write at all
 */
export async function examineLog({ findings, redis, prefix, clock, isNeeded, writes }) {
  let seen
  let verdict
  try {
    if (writes) await tryInScript(redis, prefix, LOGGING)
    verdict = await steady(async () => {
      seen = await lookAt(redis, prefix)
      return { problems: [...judge(seen, { prefix, clock, isNeeded })] }
    })
  } catch (error) {
    const { kind, message } = troubleOf(error)
    if (kind === 'permission')
      findings.fail(
        'log',
        `the token may not count and log invalidations (${COMMANDS.join(', ')}): give its ACL user the rights of docs/SECURITY.md`,
      )
    else findings.fail('log', `cannot be looked at: ${message}`)
    return
  }
  for (const { level, message } of verdict.problems) findings[level]('log', message)
  if (verdict.problems.length > 0) return
  const { sequence, last } = seen
  if (!sequence.isThere)
    findings.ok('log', 'nothing was read or invalidated yet; the first read of a server begins it')
  else if (!last) findings.ok('log', `sequence ${sequence.value}, without an invalidation so far`)
  else findings.ok('log', `sequence ${sequence.value}, the last invalidation at ${timeOf(last.id)}`)
}

async function lookAt(redis, prefix) {
  const [sequence] = await stringsAt(redis, [`${prefix}:sequence`])
  try {
    const records = await redis.command('XREVRANGE', `${prefix}:log`, '+', '-', 'COUNT', 1)
    return { sequence, last: records.length > 0 ? recordOf(records[0]) : null, isStream: true }
  } catch (error) {
    if (troubleOf(error).kind !== 'type') throw error
    return { sequence, last: null, isStream: false }
  }
}

function recordOf([id, words]) {
  return { id, fields: words.filter((_, index) => index % 2 === 0) }
}

/** When a record was written, by Redis's clock. */
const timeOf = (id) => new Date(Number(id.split('-')[0])).toISOString()

function* judge({ sequence, last, isStream }, { prefix, clock, isNeeded }) {
  const fail = (message) => ({ level: 'fail', message })
  const warn = (message) => ({ level: 'warn', message })
  const find = 'find out who writes there, or take another keyPrefix'
  const anew = `\`grove-shared-cache invalidate\` begins a new one; ${find}`
  const key = `${prefix}:sequence`
  if (sequence.isThere && sequence.value === null)
    yield fail(`${key} is no string, so something else uses this key: ${anew}`)
  else if (sequence.isThere && !isSequence(sequence.value))
    yield fail(`${key} is no whole number, so something else wrote it: ${anew}`)
  else if (!sequence.isThere && isNeeded)
    yield fail(
      `${key} is gone (deleted or evicted): the next read of a server begins a new one; switch eviction off`,
    )
  else if (sequence.expires >= 0)
    yield warn(
      `${key} has an expiry, which this package never gives it: PERSIST ${key} takes it away; ${find}`,
    )
  const aheadMs = Number(sequence.value) / PER_MS - (Date.now() + (clock?.offsetMs ?? 0))
  if (isSequence(sequence.value) && aheadMs > FUTURE_MS)
    yield warn(
      `${key} is ${Math.round(aheadMs / 1000)} s ahead of the time: the clock of the server that began it was, too; it still grows`,
    )
  if (!isStream) yield fail(`${prefix}:log is no stream, so something else uses this key: ${anew}`)
  else if (last && !FIELDS.every((field) => last.fields.includes(field)))
    yield fail(
      `${prefix}:log ends with what is no invalidation, so something else writes there: delete it; ${find}`,
    )
}

const isSequence = (text) => /^[1-9]\d*$/.test(text ?? '') && Number.isSafeInteger(Number(text))
