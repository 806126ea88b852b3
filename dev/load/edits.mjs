// The admin of the load test: edits the prompt and invalidates it, again and again.

import { setTimeout as wait } from 'node:timers/promises'

import { fingerprintOf } from '../fingerprint.mjs'
import { activatePrompt } from '../prompt-edits.mjs'

const SECTION = 'Answer in two sentences, then offer one place in the material to read on. '

/**
 * Edits every few seconds until stopped, each time through another instance.
 *
 * @param {{ sql: Function, instances: Array, everyMs: number }} options
 * @returns {{ edits: Edit[], stop(): Promise<void> }} `edits` in their order, the first being the prompt at the beginning;
 *   `stop` rejects if an edit or an invalidation failed
 *
 * @typedef {{ sha256: string, resolvedMs: number }} Edit `resolvedMs`: when the invalidation was answered
 */
export async function startEdits({ sql, instances, everyMs }) {
  const stopping = new AbortController()
  const edits = []
  const edit = async () => {
    const number = edits.length + 1
    // About as long as the real one.
    const payload = {
      identity: `You are narrator ${number} of ${new Date().toISOString()}.`,
      structureRules: SECTION.repeat(200),
    }
    await activatePrompt(sql, { title: `Load test, edit ${number}`, payload })
    // Known before the invalidation is under way: an instance may serve it before the answer is here.
    const made = { sha256: fingerprintOf(payload), resolvedMs: Infinity }
    edits.push(made)
    await instances[number % instances.length].invalidate()
    made.resolvedMs = performance.now()
  }
  await edit()
  const editing = (async () => {
    for (;;) {
      await wait(everyMs, undefined, { signal: stopping.signal })
      await edit()
    }
  })().catch((error) => {
    if (error.name !== 'AbortError') throw error
  })
  editing.catch(() => {})
  const stop = () => {
    stopping.abort()
    return editing
  }
  return { edits, stop }
}
