// Artillery, run by npx as its users run it: a version is pinned because it is no dependency of this package.

import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// The last one that runs on Node 20.
const ARTILLERY = 'artillery@2.0.21'
const SCENARIO = fileURLToPath(new URL('scenario.yml', import.meta.url))
const FETCH_WITHIN_MS = 300_000
const SLACK_MS = 60_000

/** Fetches Artillery into npm's cache, so that no run waits for it. */
export function fetchArtillery() {
  return artillery(['--version'], FETCH_WITHIN_MS)
}

/**
 * Runs the scenario against a server.
 *
 * @param {{ target: string, seconds: number, rate: number }} options `rate` is in arrivals a second
 * @returns {Promise<{ responseTimeMs: { min, max, mean, p50, p95, p99 }, responses: number, failures: object }>}
 *   `failures`: how often each error came, and each status but 200
 */
export async function runScenario({ target, seconds, rate }) {
  const directory = await mkdtemp(join(tmpdir(), 'grove-load-'))
  const output = join(directory, 'report.json')
  const phases = [{ duration: seconds, arrivalRate: rate }]
  const overrides = JSON.stringify({ config: { target, phases } })
  try {
    const words = ['run', '--quiet', '--overrides', overrides, '--output', output, SCENARIO]
    await artillery(words, seconds * 1000 + SLACK_MS)
    return resultOf(JSON.parse(await readFile(output, 'utf8')).aggregate)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function resultOf({ counters, summaries }) {
  const { min, max, mean, p50, p95, p99 } = summaries['http.response_time'] ?? {}
  const failures = Object.entries(counters).filter(
    ([name]) =>
      name.startsWith('errors.') || (name.startsWith('http.codes.') && name !== 'http.codes.200'),
  )
  return {
    responseTimeMs: { min, max, mean, p50, p95, p99 },
    responses: counters['http.responses'] ?? 0,
    failures: Object.fromEntries(failures),
  }
}

function artillery(words, withinMs) {
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['--yes', ARTILLERY, ...words], {
      env: { ...process.env, ARTILLERY_DISABLE_TELEMETRY: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group, so that the process behind npx ends too.
      detached: true,
    })
    const kill = () => {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
    }
    process.once('exit', kill)
    const timer = setTimeout(kill, withinMs)
    let printed = ''
    for (const output of [child.stdout, child.stderr])
      output.on('data', (chunk) => (printed += chunk))
    child.once('error', reject)
    child.once('close', (status) => {
      clearTimeout(timer)
      process.off('exit', kill)
      if (status === 0) resolve()
      else reject(new Error(`${ARTILLERY} ended with status ${status}\n${printed.slice(-4000)}`))
    })
  })
}
