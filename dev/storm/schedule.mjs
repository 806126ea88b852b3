// What happens when in a storm: decided by one integer before it begins, so that every program meets the same one.

import { OUTAGES } from './outages.mjs'
import { randomOf, shuffled } from './random.mjs'

const FIRST_OUTAGE_MS = 1500
const FIRST_BURST_MS = 600
/** Longer than the promised second, so that an invalidation made in an outage comes due in it. */
const OUTAGE_MS = [1800, 2600]
const FREEZE_MS = 3000
const CALM_MS = [1500, 2200]
/** At times long enough for a prompt that came back to be seen for more than the promised second. */
const BURST_EVERY_MS = [500, 4500]
/** Each outage has a burst early enough to come due within it: one of its own, if there is no other. */
const BURST_IN_OUTAGE_MS = { own: 300, early: 900 }
const EDITS_PER_BURST = 3
/** From at once to as long as a load takes: the next edit comes at every stage of the loads that the last one caused. */
const EDIT_GAP_MS = [2, 80]

/**
 * A longer schedule of a seed begins with the shorter one, up to where an outage did not fit in any more.
 *
 * @param {{ seed: number, seconds: number, instances: number, faults: boolean }} options
 * @returns {{ phases: Phase[], bursts: Burst[] }} times count from the beginning
 *
 * @typedef {{ outage: string, fromMs: number, toMs: number, frozen: number | null }} Phase `frozen`: which instance
 * @typedef {{ atMs: number, admins: Array<{ instance: number, gapsMs: number[] }> }} Burst each admin makes an edit,
 *   waits for the next gap, and so on
 */
export function scheduleOf({ seed, seconds, instances, faults }) {
  const phases = faults ? phasesOf(randomOf(seed), seconds * 1000, instances) : []
  const times = burstTimesOf(randomOf(seed + 1), seconds * 1000, phases)
  const random = randomOf(seed + 2)
  const bursts = times.map((atMs) => ({ atMs, admins: adminsOf(random, atMs, instances, phases) }))
  return { phases, bursts }
}

function phasesOf(random, endMs, instances) {
  const phases = []
  let deck = []
  for (let fromMs = FIRST_OUTAGE_MS; ;) {
    if (deck.length === 0) deck = shuffled(Object.keys(OUTAGES), random)
    const outage = deck.pop()
    const { freeze } = OUTAGES[outage]
    const toMs = fromMs + (freeze ? FREEZE_MS : between(OUTAGE_MS, random))
    if (toMs > endMs) return phases
    phases.push({
      outage,
      fromMs,
      toMs,
      frozen: freeze ? Math.floor(random() * instances) : null,
    })
    fromMs = toMs + between(CALM_MS, random)
  }
}

function burstTimesOf(random, endMs, phases) {
  const times = []
  for (let atMs = FIRST_BURST_MS; atMs < endMs; atMs += between(BURST_EVERY_MS, random))
    times.push(atMs)
  const { own, early } = BURST_IN_OUTAGE_MS
  for (const { fromMs } of phases)
    if (!times.some((atMs) => atMs >= fromMs && atMs <= fromMs + early)) times.push(fromMs + own)
  return times.toSorted((one, other) => one - other)
}

function adminsOf(random, atMs, instances, phases) {
  const all = Array.from({ length: instances }, (_, index) => index)
  const order = shuffled(all, random)
  const count = [1, 1, 1, 2, 3][Math.floor(random() * 5)]
  const frozen = phases.find(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs)?.frozen
  return order
    .filter((instance) => instance !== frozen)
    .slice(0, count)
    .map((instance) => ({
      instance,
      gapsMs: Array.from({ length: EDITS_PER_BURST }, () => between(EDIT_GAP_MS, random)),
    }))
}

function between([least, most], random) {
  return Math.round(least + random() * (most - least))
}
