// A Node process that answers calls: the stack's, and each instance's. It ends with the process that started it, however
// that ends, because its channel closes then.

import { fork } from 'node:child_process'
import { once } from 'node:events'

const PRINTED_KEPT = 4000
const END_WITHIN_MS = 5000

const running = new Set()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Starts a program that calls `serveParent`.
 *
 * @param {URL} program
 * @param {{ name: string, onTold?: (told: unknown) => void, onPrinted?: (text: string) => void, runner?: string[] }} options
 *   `onTold`: what it tells without being asked; `runner`: a command that runs the one which is put after it
 */
export function startProcess(program, { name, onTold, onPrinted, runner = [] }) {
  const [execPath, ...execArgv] = [...runner, process.execPath, ...process.execArgv]
  const child = fork(program, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execPath, execArgv })
  const calls = new Map()
  let printed = ''
  let number = 0
  let gone = null
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', (text) => {
      printed = (printed + text).slice(-PRINTED_KEPT)
      onPrinted?.(text)
    })
  }
  child.on('message', ({ call, result, error, told }) => {
    if (call === undefined) return onTold?.(told)
    const { resolve, reject } = calls.get(call)
    calls.delete(call)
    if (error) reject(new Error(`${name}: ${error}`))
    else resolve(result)
  })
  // Not the child's 'close', which does not come once this side has closed the channel.
  const closed = [child.stdout, child.stderr].map((output) => once(output, 'close'))
  const ended = once(child, 'exit').then(async ([status, signal]) => {
    await Promise.all(closed)
    gone = new Error(`${name} ended with ${signal ?? `status ${status}`}\n${printed}`)
    for (const { reject } of calls.values()) reject(gone)
  })
  running.add(child)
  ended.then(() => running.delete(child))

  return {
    name,
    pid: child.pid,
    ask(method, options) {
      if (gone) return Promise.reject(gone)
      number += 1
      const call = number
      return new Promise((resolve, reject) => {
        calls.set(call, { resolve, reject })
        child.send({ call, method, options }, (error) => error && reject(error))
      })
    },
    async stop() {
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Answers the calls of the process that started this one. @param {Record<string, (options) => unknown>} methods */
export function serveParent(methods) {
  // Ctrl-C goes to every process of a terminal; the order of ending is the parent's.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  process.once('disconnect', () => process.exit(0))
  process.on('message', async ({ call, method, options }) => {
    try {
      process.send({ call, result: await methods[method](options) })
    } catch (error) {
      process.send({ call, error: error.stack })
    }
  })
}
