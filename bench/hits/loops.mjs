// Sides that hit in turn in one process, each in a loop of its own.

import { setImmediate as nextTurn } from 'node:timers/promises'

import { orderOf, sampling } from '../statistics.mjs'

/** Long beside a look at the clock, short beside what interrupts a process. */
const BATCH_MS = 10
const WARM_UP_BATCHES = 20
const FIRST_BATCH = 1000

/**
 * A loop of this side's own. Its source names the side, or V8 would take one compiled function for all, and what it learned
 * of one side's calls would slow down the others.
 */
function loopOf(name, { call, scope }) {
  const source = `return async function ${name}Loop(times) {
    let got
    for (; times > 0; times -= 1) got = await ${call}
    return got
  }`
  return new Function(...Object.keys(scope), source)(...Object.values(scope))
}

/** Runs a batch. @returns {Promise<number>} nanoseconds a read */
async function batch({ loop, require }, times) {
  // Timers, sockets and what this package renews in the background have their turn.
  await nextTurn()
  const beganMs = performance.now()
  const got = await loop(times)
  const ns = ((performance.now() - beganMs) * 1e6) / times
  require(got)
  return ns
}

/**
 * Measures all of them, round by round.
 *
 * @param {Record<string, Side>} all
 * @param {number} rounds
 * @returns {Promise<import('../statistics.mjs').Samples>}
 *
 * @typedef {object} Side
 * @property {string} call the source of a call; `times` counts down to 1 in it
 * @property {Record<string, unknown>} scope what the call names
 * @property {(got: any) => void} require throws unless this is what the last call of a loop should have given
 */
export async function measureInTurn(all, rounds) {
  const sides = Object.entries(all).map(([name, side]) => ({
    name,
    loop: loopOf(name, side),
    require: side.require,
    times: FIRST_BATCH,
  }))
  for (const side of sides) {
    for (let count = 0; count < WARM_UP_BATCHES; count += 1) {
      const ns = await batch(side, side.times)
      side.times = Math.ceil((BATCH_MS * 1e6) / ns)
    }
  }
  const { samples, add } = sampling()
  for (let round = 0; round < rounds; round += 1) {
    for (const side of orderOf(sides, round)) add(side.name, { ns: await batch(side, side.times) })
  }
  return samples
}
