// A process stopped by SIGSTOP, as Cloud Run freezes one. A small shell thaws it if this process ends first: nobody else
// would.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { nowMs } from './clock.mjs'

/**
 * @param {number} pid
 * @returns {() => { fromMs: number, toMs: number, over: Promise<unknown> }} thaws it; it stood still at most between the two, and
 *   began no read between a moment after the first and the second. Until it is `over`, it may be thawed once more
 */
export function freeze(pid) {
  const guard = spawn('/bin/sh', ['-c', 'cat >/dev/null; kill -CONT "$1"', 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.stdin.on('error', () => {})
  guard.on('error', () => {})
  const over = once(guard, 'close')
  const fromMs = nowMs()
  process.kill(pid, 'SIGSTOP')
  return () => {
    const toMs = nowMs()
    process.kill(pid, 'SIGCONT')
    guard.stdin.end()
    return { fromMs, toMs, over }
  }
}
