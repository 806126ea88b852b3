// The package's command line, run as an operator does.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../cli/main.mjs', import.meta.url))
const clock = new URL('shifted-clock.mjs', import.meta.url)

/**
 * Starts a command.
 *
 * @param {string[]} words
 * @param {Record<string, string | undefined>} [environment] all of its variables, beside PATH
 * @param {{ cwd?: string, clockAheadMs?: number }} [options] `clockAheadMs`: how wrong its clock is
 */
export function startCommand(words, environment = {}, { cwd, clockAheadMs } = {}) {
  const flags = clockAheadMs ? ['--import', clock.href] : []
  const env = { PATH: process.env.PATH, CLOCK_AHEAD_MS: String(clockAheadMs), ...environment }
  const child = spawn(process.execPath, [...flags, program, ...words], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  }
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => resolve({ status, signal, ...output }))
  })
  return { child, output, ended }
}

/** Runs a command to its end. */
export const runCommand = (...parameters) => startCommand(...parameters).ended

/**
 * What `doctor` finds wrong, by lines and by JSON alike, and that its status fits. No secret of the environment and no part of
 * a prompt may be in what it prints.
 *
 * @param {import('ava').ExecutionContext} t
 * @returns {Promise<{ level: 'warn' | 'fail', check: string, message: string }[]>}
 */
export async function wrongBy(t, environment, words = [], options = {}) {
  const { status, stdout, stderr } = await runCommand(
    ['doctor', '--json', ...words],
    environment,
    options,
  )
  t.is(stderr, '')
  const { ok, findings } = JSON.parse(stdout)
  const wrong = findings.filter(({ level }) => level !== 'ok')
  const failed = wrong.some(({ level }) => level === 'fail')
  t.is(status, failed ? 1 : 0)
  t.is(ok, !failed)
  for (const { message } of findings) t.false(message.includes('\n'), message)
  hasNoSecret(t, stdout, environment)
  return wrong
}

const SECRET = /TOKEN|KEY|_PROMPT$/
/** In the prompts of the tests. */
const PROMPT_TEXT = /of a file|You are the Grove Terminal/

/** Whether nothing secret is in a text. */
export function hasNoSecret(t, text, environment) {
  for (const [name, value] of Object.entries(environment))
    if (value && SECRET.test(name) && !name.endsWith('PREFIX')) t.false(text.includes(value), name)
  t.notRegex(text, PROMPT_TEXT)
}
