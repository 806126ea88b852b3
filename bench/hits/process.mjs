// The process in which all sides hit in turn. Started by `startProcess`.

import { setImmediate as nextTurn } from 'node:timers/promises'

import { serveParent } from '../../dev/process.mjs'
import { requirePrompt } from '../prompt.mjs'
import { orderOf, sampling } from '../statistics.mjs'
import { openHitSides } from './sides.mjs'

/** Long beside a look at the clock, short beside what interrupts a process. */
const BATCH_MS = 10
const WARM_UP_BATCHES = 20
const FIRST_BATCH = 1000

/**
 * A loop of this side's own. Its source names the side, or V8 would take one compiled function for all, and what it learned
 * of one side's calls would slow down the others.
 */
function loopOf(name, { call, scope }) {
  const source = `return async function ${name}(times) {
    let got
    for (; times > 0; times -= 1) got = await ${call}
    return got
  }`
  return new Function(...Object.keys(scope), source)(...Object.values(scope))
}

/** Runs a batch. @returns {Promise<number>} nanoseconds a read */
async function batch({ name, loop, content = (got) => got }, times) {
  // Timers, sockets and what this package renews in the background have their turn.
  await nextTurn()
  const beganMs = performance.now()
  const got = await loop(times)
  const ns = ((performance.now() - beganMs) * 1e6) / times
  requirePrompt(name, content(got))
  return ns
}

serveParent({
  async measure({ rounds, ...place }) {
    const sides = Object.entries(await openHitSides(place)).map(([name, side]) => ({
      name,
      loop: loopOf(name, side),
      content: side.content,
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
      for (const side of orderOf(sides, round))
        add(side.name, { ns: await batch(side, side.times) })
    }
    return samples
  },
})
