// A child process that cannot outlive its parent, not even one ended by SIGKILL.
//
// The child runs under a small shell guard whose stdin is a pipe from here. Whatever ends this process (or the worker
// thread that started the child), the kernel closes the pipe and the guard kills its child and removes the temp
// directory. So no signal handlers are needed, and the signal handling of the host program stays its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// POSIX gives background jobs /dev/null as stdin, hence the detour over descriptor 3.
const GUARD = `
exec 3<&0
directory=$1; shift
"$@" </dev/null 3<&- &
child=$!
( cat <&3; kill -9 $child; rm -rf "$directory" ) >/dev/null 2>&1 3<&3 &
exec 3<&-
wait $child`

const OUTPUT_KEPT = 8192

/**
 * Starts a program in a temp directory of its own and waits until `ready` resolves.
 *
 * @param {string} program path or name of the executable
 * @param {(directory: string) => string[]} args its arguments
 * @param {object} options
 * @param {(child: { exited: Promise<void>, printed(text: string): Promise<void> }) => Promise<void>} options.ready
 * @param {Record<string, string>} [options.environment] the child's whole environment, beside PATH
 * @param {number} [options.readyWithinMs]
 * @returns {Promise<{ pid: number, stop(): Promise<void> }>} `pid` is the guard's; the error of a failed start carries
 *   what the child printed
 */
export async function startChild(
  program,
  args,
  { ready, environment = {}, readyWithinMs = 20_000 },
) {
  const directory = mkdtempSync(join(tmpdir(), 'grove-stack-'))
  const guard = spawn('/bin/sh', ['-c', GUARD, 'guard', directory, program, ...args(directory)], {
    cwd: directory,
    // A group of its own: Ctrl-C in a terminal goes to the parent, which then decides the order of stopping.
    detached: true,
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  const waiting = new Set()
  const keep = (chunk) => {
    output = (output + chunk).slice(-OUTPUT_KEPT)
    for (const check of waiting) check()
  }
  guard.stdout.on('data', keep)
  guard.stderr.on('data', keep)
  guard.stdin.on('error', () => {})
  const exited = once(guard, 'exit').then(() => {})

  const stop = async () => {
    guard.stdin.end()
    await exited
    rmSync(directory, { recursive: true, force: true })
  }
  const printed = (text) =>
    new Promise((resolve) => {
      const check = () => {
        if (!output.includes(text)) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })

  let timer
  const failed = new Promise((_, reject) => {
    const fail = (what) => reject(new Error(`${program} ${what}\n${output}`))
    exited.then(() => fail('ended before it was ready'))
    guard.once('error', (error) => fail(`did not start: ${error.message}`))
    timer = setTimeout(() => fail(`was not ready within ${readyWithinMs} ms`), readyWithinMs)
  })
  try {
    await Promise.race([ready({ exited, printed }), failed])
  } catch (error) {
    await stop()
    throw error
  } finally {
    clearTimeout(timer)
    failed.catch(() => {})
  }
  return { pid: guard.pid, stop }
}
