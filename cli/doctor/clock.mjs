// This machine's clock beside those of the servers: what is stored is dated by the wall clock, and so is what is signed.

import { troubleOf } from './store.mjs'

const WARN_MS = 5000
/** How far clocks may be apart where what is stored is signed: docs/SECURITY.md. */
const SIGNED_MS = 60_000

/**
 * @param {{ findings: import('./findings.mjs').Findings, redis: import('./redis.mjs').Redis | null, dates: ({ serverMs: number,
 *   localMs: number } | null | undefined)[], signed: boolean }} parts `dates`: what HTTP answers said, for where TIME is not
 *   permitted
 * @returns {Promise<{ offsetMs: number } | null>} what has to be added to the local clock; null if nobody tells the time
 */
export async function examineClock({ findings, redis, dates, signed }) {
  const date = (redis && (await timeOf(redis))) ?? dates.find(Boolean)
  if (!date) return null
  const offsetMs = date.serverMs - date.localMs
  const apart = Math.abs(offsetMs)
  const seconds = Math.round(apart / 1000)
  const off = `this machine's clock is ${seconds} s ${offsetMs > 0 ? 'behind' : 'ahead'}: set it by NTP`
  if (signed && apart > SIGNED_MS)
    findings.fail('clock', `${off}; with a signing key, what is stored counts as of another time`)
  else if (apart > WARN_MS)
    findings.warn('clock', `${off}; what servers store is dated by their clocks`)
  else
    findings.ok(
      'clock',
      `agrees with ${date.of ?? 'the Date of an answer'} to ${Math.max(1, seconds)} s`,
    )
  return { offsetMs }
}

async function timeOf(redis) {
  try {
    const { result, ms } = await redis.timed('TIME')
    const [seconds, micros] = result.map(Number)
    const serverMs = seconds * 1000 + micros / 1000
    if (!Number.isFinite(serverMs)) return null
    return { serverMs, localMs: Date.now() - ms / 2, of: "Redis's TIME" }
  } catch (error) {
    if (!(error instanceof TypeError)) troubleOf(error)
    return null
  }
}
