// Commands that the store bills for many entries under steady reads, in each lease.

import { setTimeout as wait } from 'node:timers/promises'

import { startProcess } from '../../dev/process.mjs'

const READER = new URL('reader.mjs', import.meta.url)

const SIZES = {
  whole: { entries: [1000, 10_000], rates: [1000, 10_000], leases: 12, leaseMs: 1000 },
  quick: { entries: [100, 500], rates: [1000], leases: 10, leaseMs: 200 },
}
/** What is written beside the first reads is through when no command has come for so long. */
const QUIET_MS = 250
/** How often reads come that are due: all at once then. */
const PATTERNS = { random: { everyMs: 1 }, bursts: { everyMs: 150 } }

/**
 * What is measured. `changes`: one entry of them is invalidated in each lease, through another instance.
 *
 * @param {'whole' | 'quick'} pace
 * @returns {Array<{ entries: number, perSecond: number, pattern: string, changes: boolean, leases: number, leaseMs: number }>}
 */
export function scenariosOf(pace) {
  const { entries, rates, leases, leaseMs } = SIZES[pace]
  const steady = entries.flatMap((count) =>
    rates.flatMap((perSecond) =>
      Object.keys(PATTERNS).map((pattern) => ({ entries: count, perSecond, pattern })),
    ),
  )
  const [most, fastest] = [entries.at(-1), rates.at(-1)]
  const changing = { entries: most, perSecond: fastest, pattern: 'random', changes: true }
  return [...steady, changing].map((one) => ({ changes: false, ...one, leases, leaseMs }))
}

/**
 * @param {import('./run.mjs').Context} context
 * @returns {Promise<Array<object>>} each scenario with `perLease` (commands that the reader counted, a lease), `billedPerLease` (what
 *   the store billed; of an invalidation, the other instance's too), `most` (in one lease) and `reads`
 */
export async function measureCommands({ stack, environment, pace }) {
  const measured = []
  for (const [index, scenario] of scenariosOf(pace).entries()) {
    const { entries, perSecond, pattern, changes, leases, leaseMs } = scenario
    const child = startProcess(READER, { name: 'reader' })
    const other = changes ? startProcess(READER, { name: 'other' }) : null
    try {
      const place = { environment, keyPrefix: `bench:commands-${index}`, leaseMs, entries }
      await child.ask('open', place)
      await other?.ask('open', { ...place, entries: 0 })
      const before = await quiet(stack)
      const changing = other?.ask('change', { entries, times: leases, everyMs: leaseMs })
      const read = await child.ask('read', {
        perSecond,
        leases,
        leaseMs,
        ...PATTERNS[pattern],
        seed: index,
      })
      await changing
      const billed = (await stack.ask('commands')) - before
      measured.push({ ...scenario, ...read, billedPerLease: billed / leases })
    } finally {
      await child.stop()
      await other?.stop()
    }
  }
  return measured
}

/** @returns {Promise<number>} the commands until now, when no more come */
async function quiet(stack) {
  for (;;) {
    const before = await stack.ask('commands')
    await wait(QUIET_MS)
    if ((await stack.ask('commands')) === before) return before
  }
}
