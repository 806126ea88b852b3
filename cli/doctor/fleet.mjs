// The instances that are listed, for `wait: 'all'`, and whether the token may list them.

import { troubleOf } from './store.mjs'
import { tryInScript } from './trial.mjs'

/** What listing instances runs in scripts. */
const LISTING = [
  `'HSET', KEYS[1], 'x', 'x'`,
  `'HGET', KEYS[1], 'x'`,
  `'HGETALL', KEYS[1]`,
  `'HDEL', KEYS[1], 'x'`,
]
const COMMANDS = ['HSET', 'HGET', 'HMGET', 'HGETALL', 'HDEL']
/** The field that says whether the list is whole. */
const SETTLED = '~'
const ID = /^[0-9A-Za-z.]{1,64}$/
/** Before what an instance says that another one took off the list. */
const EXPELLED = /^-\d+ /
/** An instance with reads says how it stands once a minute. */
const RECENT_MS = 300_000
const MEND = 'delete it, or take another keyPrefix'

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string, writes: boolean,
 *   clock: { offsetMs: number } | null }} parts `writes`: whether the token may write at all
 */
export async function examineFleet({ findings, redis, prefix, writes, clock }) {
  const key = `${prefix}:members`
  let fields
  try {
    if (writes) await tryInScript(redis, prefix, LISTING)
    await redis.command('HMGET', key, SETTLED)
    fields = pairsOf(await redis.command('HGETALL', key))
  } catch (error) {
    const { kind, message } = troubleOf(error)
    if (kind === 'type')
      findings.fail('fleet', `${key} is no hash, so something else uses this key: ${MEND}`)
    else if (kind === 'permission')
      findings.fail(
        'fleet',
        `the token may not list instances (${COMMANDS.join(', ')}): give its ACL user the rights of docs/SECURITY.md; until then nobody can wait for all instances`,
      )
    else findings.warn('fleet', `cannot be listed: ${message}`)
    return
  }
  const members = fields
    .filter(([id]) => id !== SETTLED)
    .map(([id, text]) => ({ id, ...memberOf(text) }))
  const strange = members.find(({ id, at }) => !ID.test(id) || at === undefined)
  if (strange) {
    findings.fail(
      'fleet',
      `${key} holds what is no instance, so something else writes there: ${MEND}`,
    )
    return
  }
  const since = Date.now() + (clock?.offsetMs ?? 0) - RECENT_MS
  const running = members.filter(({ at, expelled }) => !expelled && at >= since).length
  const silent = members.length - running
  const left = silent > 0 ? `, ${silent} more read before, or ended without close()` : ''
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

function pairsOf(flat) {
  const pairs = []
  for (let index = 0; index < flat.length; index += 2) pairs.push([flat[index], flat[index + 1]])
  return pairs
}

/** What an instance said of itself; nothing for what none said. */
function memberOf(text) {
  const expelled = EXPELLED.test(text)
  try {
    const { leaseMs, at } = JSON.parse(text.replace(EXPELLED, ''))
    return Number.isInteger(leaseMs) && Number.isInteger(at) ? { at, expelled } : {}
  } catch {
    return {}
  }
}
