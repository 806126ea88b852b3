// The instances that are listed, for `wait: 'all'`, and whether the token may list them.

import { randomBytes } from 'node:crypto'

import { troubleOf } from './store.mjs'

const ID = /^[0-9a-f]{16}$/
/** What listing an instance runs, on a key of its own, which is gone after it. */
const LISTING = `redis.call('SADD', KEYS[1], ARGV[1])
local there = redis.call('EXISTS', KEYS[1])
local listed = #redis.call('SMEMBERS', KEYS[1])
redis.call('SREM', KEYS[1], ARGV[1])
return there + listed`
const MEND = 'delete it, or take another keyPrefix'

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string, writes: boolean }}
 *   parts `writes`: whether the token may write at all
 */
export async function examineFleet({ findings, redis, prefix, writes }) {
  const fleet = `${prefix}:fleet`
  let ids
  let standings = []
  try {
    if (writes) {
      const id = randomBytes(8).toString('hex')
      await redis.command('EVAL', LISTING, 1, `${prefix}:doctor:${id}`, id)
    }
    ids = await redis.command('SMEMBERS', fleet)
    if (ids.length > 0)
      standings = await redis.command('MGET', ...ids.map((id) => `${prefix}:instance:${id}`))
  } catch (error) {
    const { kind, message } = troubleOf(error)
    if (kind === 'type')
      findings.fail('fleet', `${fleet} is no set, so something else uses this key: ${MEND}`)
    else if (kind === 'permission')
      findings.fail(
        'fleet',
        `the token may not list instances (SADD, SREM, SMEMBERS, EXISTS): give its ACL user the rights of docs/SECURITY.md; until then nobody can wait for all instances`,
      )
    else findings.warn('fleet', `cannot be listed: ${message}`)
    return
  }
  const foreign = ids.find((id) => !ID.test(id))
  if (foreign !== undefined) {
    findings.fail(
      'fleet',
      `${fleet} holds what is no instance, so something else writes there: ${MEND}`,
    )
    return
  }
  const strange = ids.find((_, index) => standings[index] !== null && !isStanding(standings[index]))
  if (strange) {
    findings.fail('fleet', `${prefix}:instance:${strange} was not written by this package: ${MEND}`)
    return
  }
  const running = standings.filter((standing) => standing !== null).length
  const gone = ids.length - running
  const left = gone > 0 ? `, ${gone} ended without close()` : ''
  if (running === 0) {
    findings.ok(
      'fleet',
      `nobody has read under ${prefix} in the last five minutes${left} (if servers run: is this their keyPrefix?)`,
    )
    return
  }
  const count = running === 1 ? '1 instance has' : `${running} instances have`
  findings.ok('fleet', `${count} read in the last five minutes${left}`)
}

function isStanding(text) {
  try {
    return Number.isInteger(JSON.parse(text).leaseMs)
  } catch {
    return false
  }
}
