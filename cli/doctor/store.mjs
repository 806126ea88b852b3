// Whether Redis is there, how far away, and what the token may do.

import { randomBytes } from 'node:crypto'

import { spell } from '../output.mjs'
import { Trouble } from './trouble.mjs'

const TIMES = 5
/** What a read gives Redis by default: `redisTimeoutMs`. */
const GIVEN_MS = 500
const LAST_MS = 10_000
const READ_BACK = `return redis.call('GET', KEYS[1])`

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string }} parts
 * @returns {Promise<{ writes: boolean, scripts: boolean, date: object | null } | null>} null if it does not answer reads
 */
export async function examineStore({ findings, redis, prefix }) {
  const date = await reached({ findings, redis, prefix })
  if (date === undefined) return null
  return { date, ...(await examineWrites({ findings, redis, prefix })) }
}

async function reached({ findings, redis, prefix }) {
  const times = []
  let last
  try {
    for (let time = 0; time < TIMES; time += 1) {
      last = await redis.timed(
        'MGET',
        `${prefix}:system-prompt:version`,
        `${prefix}:system-prompt:generation`,
      )
      times.push(last.ms)
    }
  } catch (error) {
    const trouble = troubleOf(error)
    const may = `the token may not read the keys under ${prefix}: give it the rights of docs/SECURITY.md, or the right --key-prefix`
    findings.fail('redis', trouble.kind === 'permission' ? may : trouble.message)
    return undefined
  }
  const median = times.toSorted((one, other) => one - other)[TIMES >> 1]
  const answer = `answers in ${spell(median)} (the median of ${TIMES})`
  if (median > GIVEN_MS)
    findings.warn(
      'redis',
      `${answer}, and a read gives it ${GIVEN_MS} ms: use a region nearby, or raise redisTimeoutMs`,
    )
  else findings.ok('redis', answer)
  return last.date
}

async function examineWrites({ findings, redis, prefix }) {
  const key = `${prefix}:doctor:${randomBytes(8).toString('hex')}`
  const value = randomBytes(8).toString('hex')
  const attempt = async (command, words, right) => {
    try {
      const result = await redis.command(command, ...words)
      if (right(result)) return true
      findings.fail(
        'rights',
        `${command} answers something else than Redis does: UPSTASH_REDIS_REST_URL is of a server that differs`,
      )
    } catch (error) {
      findings.fail('rights', refusal(command, troubleOf(error), prefix))
    }
    return false
  }
  if (!(await attempt('SET', [key, value, 'PX', LAST_MS], (result) => result === 'OK')))
    return { writes: false, scripts: false }
  const ran = await attempt('EVAL', [READ_BACK, 1, key], (result) => result === value)
  const deleted = await attempt('DEL', [key], (result) => result === 1)
  if (ran && deleted) findings.ok('rights', `SET, EVAL and DEL are allowed under ${prefix}:`)
  return { writes: true, scripts: ran }
}

function refusal(command, trouble, prefix) {
  if (trouble.kind !== 'permission')
    return trouble.kind === 'rejected' ? `${command}: ${trouble.message}` : trouble.message
  if (command === 'SET')
    return `the token may read only: copy UPSTASH_REDIS_REST_TOKEN from the Upstash console, not the read-only one (or give its ACL user the rights of docs/SECURITY.md under ${prefix})`
  return `the token may not ${command}: give its ACL user the rights of docs/SECURITY.md under ${prefix}`
}

/** What is no trouble of the network is a mistake in here, and not to be hidden. */
export function troubleOf(error) {
  if (error instanceof Trouble) return error
  throw error
}
