// Cold starts, each a process of its own: a bare Node, this package, and its two peers together by hand; with the prompt in
// Redis, and with nothing there.

import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { builtAddon } from '../../dev/setup.mjs'
import { PROMPT } from '../prompt.mjs'
import { orderOf, sampling } from '../statistics.mjs'

const START = fileURLToPath(new URL('start.mjs', import.meta.url))
const PROGRAMS = {
  ours: new URL('ours.mjs', import.meta.url),
  peer: new URL('peer.mjs', import.meta.url),
}
const SIDES = [
  { side: 'bare' },
  { side: 'ours', program: 'ours', stored: true },
  { side: 'oursEmpty', program: 'ours', stored: false },
  { side: 'peer', program: 'peer', stored: true },
  { side: 'peerEmpty', program: 'peer', stored: false },
]
const STORED = 'bench:cold'
/** All that a program writes: the peer's prompt, and what this package has of it. */
const PROMPT_KEYS = ['active', 'version', 'config', 'generation', 'loader']
const KEYS = [
  'active',
  ...PROMPT_KEYS.map((name) => `system-prompt:${name}`),
  'sequence',
  'log',
  'members',
]
const ROUNDS = { whole: 16, quick: 3 }
const END_WITHIN_MS = 30_000
const SHA256 = createHash('sha256').update(PROMPT).digest('hex')

/** @param {import('../run.mjs').Context} context @returns {Promise<import('../statistics.mjs').Samples>} */
export async function measureCold({ stack, environment, pace }) {
  const { samples, add } = sampling()
  add('file', { bytes: statSync(builtAddon()).size })
  // In the round before the first, what is to be stored comes into the store, and the files into the machine's memory.
  for (let round = -1; round < ROUNDS[pace]; round += 1) {
    for (const { side, program, stored } of orderOf(SIDES, Math.max(0, round))) {
      const keyPrefix = stored ? `${STORED}:${program}` : `bench:cold:${randomUUID()}`
      const { sourceReads, sha256, ...measures } = await started(program, {
        ...environment,
        KEY_PREFIX: keyPrefix,
      })
      if (!stored)
        await stack.ask(
          'remove',
          KEYS.map((name) => `${keyPrefix}:${name}`),
        )
      if (round < 0) continue
      if (program) requireColdRead(side, { sourceReads, sha256, stored })
      add(side, measures)
    }
  }
  return samples
}

async function started(program, environment) {
  const words = program ? [START, PROGRAMS[program].href] : [START]
  const { stdout } = await promisify(execFile)(process.execPath, words, {
    env: { PATH: process.env.PATH, ...environment },
    timeout: END_WITHIN_MS,
  })
  // The log may have lines before it.
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

function requireColdRead(side, { sourceReads, sha256, stored }) {
  if (sha256 !== SHA256) throw new Error(`${side} did not give the prompt`)
  if (sourceReads !== (stored ? 0 : 1))
    throw new Error(`${side} asked the source ${sourceReads} times for its first prompt`)
}
