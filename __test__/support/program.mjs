// Runs a small program in a process of its own, as a user would start it.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * @param {string} source the program
 * @param {{ type?: 'module' | 'commonjs', environment?: Record<string, string>, flags?: string[], timeoutMs?: number }} [options]
 *   `flags`: those of Node
 * @returns {Promise<{ status: number | null, signal: string | null, stdout: string, stderr: string, ms: number }>}
 */
export function runProgram(
  source,
  { type = 'module', environment = {}, flags = [], timeoutMs = 30_000 } = {},
) {
  const { PATH, HOME } = process.env
  const begun = performance.now()
  const child = spawn(process.execPath, [...flags, `--input-type=${type}`, '--eval', source], {
    cwd: root,
    env: { PATH, HOME, ...environment },
    timeout: timeoutMs,
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) =>
      resolve({ status, signal, ...output, ms: performance.now() - begun }),
    )
  })
}
