// `doctor`: why a set-up does not work. Each part names the first cause that it meets and leaves out what follows from it.

import { configuration } from './doctor/configuration.mjs'
import { examineClock } from './doctor/clock.mjs'
import { Findings } from './doctor/findings.mjs'
import { examineFleet } from './doctor/fleet.mjs'
import { examineKeys } from './doctor/keys.mjs'
import { examineLog } from './doctor/log.mjs'
import { examinePush } from './doctor/push.mjs'
import { Redis } from './doctor/redis.mjs'
import { comparePrompts, examineSource } from './doctor/source.mjs'
import { examineStore } from './doctor/store.mjs'

const TIMEOUT_MS = 5000
const DEFAULT_KEY_PREFIX = 'grove'
const DEFAULT_TTL_SECONDS = 300

/** @returns {Promise<0 | 1>} 1 if something failed */
export async function run({
  output,
  keyPrefix: prefix = DEFAULT_KEY_PREFIX,
  timeoutMs = TIMEOUT_MS,
  ttlSeconds = DEFAULT_TTL_SECONDS,
}) {
  const findings = new Findings(output)
  const { store, supabase, promptFile, signed } = configuration(findings, prefix)

  let redis
  let rights = null
  let stored = null
  if (store) {
    redis = new Redis({ ...store, timeoutMs })
    rights = await examineStore({ findings, redis, prefix })
  }
  const { row, date: sourceDate } = await examineSource({
    findings,
    supabase,
    promptFile,
    timeoutMs,
  })
  const clock = await examineClock({
    findings,
    redis: rights && redis,
    dates: [rights?.date, sourceDate],
    signed,
  })
  if (rights) {
    if (rights.writes) await examinePush({ findings, redis, prefix })
    stored = await examineKeys({ findings, redis, prefix, ttlSeconds, signed })
    const writes = rights.writes && rights.scripts
    await examineLog({ findings, redis, prefix, clock, isNeeded: stored !== null, writes })
    await examineFleet({ findings, redis, prefix, writes, clock })
  }
  if (stored && row) comparePrompts({ findings, stored, row })
  redis?.close()
  findings.end()
  return findings.failed ? 1 : 0
}
