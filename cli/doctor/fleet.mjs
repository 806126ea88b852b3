// The instances that are registered, for `wait: 'all'`.

import { troubleOf } from './store.mjs'

const ID = /^[0-9a-f]{16}$/

/** @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis, prefix: string }} parts */
export async function examineFleet({ findings, redis, prefix }) {
  const fleet = `${prefix}:fleet`
  let ids
  let kept
  try {
    ids = await redis.command('SMEMBERS', fleet)
    kept =
      ids.length > 0
        ? await redis.command('MGET', ...ids.map((id) => `${prefix}:instance:${id}`))
        : []
  } catch (error) {
    const { kind, message } = troubleOf(error)
    if (kind === 'type')
      findings.fail(
        'fleet',
        `${fleet} is no set, so something else uses this key: delete it, or take another keyPrefix`,
      )
    else if (kind === 'permission')
      findings.warn(
        'fleet',
        `the token may not read ${fleet}: give its ACL user the rights of docs/SECURITY.md; until then nobody can wait for all instances`,
      )
    else findings.warn('fleet', `cannot be listed: ${message}`)
    return
  }
  if (!ids.every((id) => ID.test(id))) {
    findings.fail(
      'fleet',
      `${fleet} holds what is no instance, so something else writes there: delete it, or take another keyPrefix`,
    )
    return
  }
  const running = kept.filter((value) => value !== null).length
  const gone = ids.length - running
  const left = gone > 0 ? `, ${gone} ended without close()` : ''
  const count = running === 1 ? '1 instance has' : `${running} instances have`
  findings.ok('fleet', `${count} read in the last five minutes${left}`)
}
