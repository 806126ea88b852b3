// The phases one after the other, each in a fresh process over the same stack, with a sample after each step.

import { startProcess } from '../process.mjs'
import { verdictOf } from './verdict.mjs'
import { PHASES } from './phases.mjs'

const STACK = new URL('stack.mjs', import.meta.url)
const DRIVEN = new URL('driven.mjs', import.meta.url)
/** A step that takes longer hangs. */
const STEP_WITHIN_MS = 120_000

/**
 * @param {object} options
 * @param {{ name: string, count: number, leak?: string }[]} options.runs phases, how often each, and what the driven process is to
 *   leak on purpose
 * @param {number} [options.steps] of each phase; at least 10, or a fifth of them is no measure
 * @param {(words: string) => void} [options.onProgress]
 * @returns {Promise<{ store: string, steps: number, phases: Phase[] }>}
 *
 * @typedef {object} Phase `error` where it did not end
 * @property {string} name
 * @property {number} count
 * @property {number} seconds
 * @property {Record<string, { second: number, last: number, allowed: number, leak: boolean }>} [held]
 * @property {Record<string, number>[]} samples
 */
export async function runSoak({ runs, steps = 25, onProgress = () => {} }) {
  const stack = startProcess(STACK, { name: 'the stack' })
  try {
    const { environment, store } = await stack.ask('start')
    const phases = []
    for (const { name, count, leak } of runs) {
      const place = { environment, keyPrefix: `soak:${name}` }
      const phase = await runPhase({ stack, place, name, count, steps, leak })
      phases.push(phase)
      onProgress(`${name}: ${count} in ${phase.seconds.toFixed(0)} s, ${inWords(phase)}`)
    }
    return { store, steps, phases }
  } finally {
    await stack.stop()
  }
}

async function runPhase({ stack, place, name, count, steps, leak }) {
  if (PHASES[name].ends) await stack.ask('endStreams', place)
  const child = startProcess(DRIVEN, { name })
  const beganMs = performance.now()
  const samples = []
  let error
  try {
    let done = 0
    for (let step = 1; step <= steps; step += 1) {
      const upTo = Math.round((count * step) / steps)
      const asked = { phase: name, place, count: upTo - done, leak }
      await within(STEP_WITHIN_MS, child.ask('step', asked), `${name}: step ${step} of ${steps}`)
      done = upTo
      samples.push(await within(STEP_WITHIN_MS, child.ask('sample'), `${name}: sample ${step}`))
    }
  } catch (failure) {
    error = failure.message
  } finally {
    await stack.ask('clear')
    await child.stop()
  }
  const seconds = (performance.now() - beganMs) / 1000
  return { name, count, seconds, ...(error ? { error } : { held: verdictOf(samples) }), samples }
}

async function within(ms, promise, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs: not done in ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function inWords({ error, held, samples }) {
  if (error) return error
  return Object.entries(held)
    .map(([what, { second, last, leak }]) => {
      const growth = `${second.toFixed(1)} → ${last.toFixed(1)}${leak ? ' LEAK' : ''}`
      return `${what} ${growth}`
    })
    .concat(`${samples.length} samples`)
    .join(', ')
}
