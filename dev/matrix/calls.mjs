// A call with its deadlines.

/** What a call may take beyond its deadline, for getting on and off the threads. */
const SLACK_MS = 50
/** A call that takes as much longer never ends. */
const HANGS_MS = 10_000

/**
 * How a call ended, and whether in time. Beside it runs a timer for its deadline: on a machine that lets even that one wait, a call is
 * late only if it ended later than the timer, too.
 *
 * @param {{ resolvedMs: number, rejectedMs: number }} bounds
 * @param {() => Promise<unknown>} call
 * @returns {Promise<{ outcome: 'resolved' | 'rejected' | 'hung', value: unknown, ms: number, late: boolean }>}
 */
export async function timed({ resolvedMs, rejectedMs }, call) {
  const beganAt = performance.now()
  const fired = {}
  const timerOf = (outcome, ms) => setTimeout(() => (fired[outcome] = performance.now()), ms)
  const timers = [timerOf('resolved', resolvedMs), timerOf('rejected', rejectedMs)]
  const { outcome, value } = await Promise.race([settled(call), hanging(resolvedMs, timers)])
  const endedAt = performance.now()
  for (const timer of timers) clearTimeout(timer)
  const ms = endedAt - beganAt
  if (outcome === 'hung') return { outcome, value, ms, late: true }
  const boundMs = outcome === 'resolved' ? resolvedMs : rejectedMs
  const lastAt = Math.max(beganAt + boundMs, fired[outcome] ?? Infinity) + SLACK_MS
  return { outcome, value, ms, late: endedAt > lastAt }
}

async function settled(call) {
  try {
    return { outcome: 'resolved', value: await call() }
  } catch (error) {
    return { outcome: 'rejected', value: error }
  }
}

function hanging(boundMs, timers) {
  return new Promise((resolve) => {
    timers.push(setTimeout(() => resolve({ outcome: 'hung' }), boundMs + HANGS_MS))
  })
}
