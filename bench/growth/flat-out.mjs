// One reader that reads as fast as it can.

import { setImmediate as nextTurn } from 'node:timers/promises'

import { requirePrompt } from '../prompt.mjs'

/** Hits alone would never let the event loop turn. */
const READS_IN_A_ROW = 500

/** @param {() => Promise<string>} read @param {number} ms for so long @returns {Promise<number>} reads a second */
export async function readFlatOut(read, ms) {
  const beganMs = performance.now()
  let over = false
  setTimeout(() => (over = true), ms)
  let done = 0
  let got
  while (!over) {
    for (let count = 0; count < READS_IN_A_ROW && !over; count += 1) {
      got = await read()
      done += 1
    }
    await nextTurn()
  }
  const seconds = (performance.now() - beganMs) / 1000
  requirePrompt('a reader', got)
  return done / seconds
}
