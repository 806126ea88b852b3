// The store of one test file, with a prompt file as the source: all that a cache needs, and quickly there.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStore } from '../../dev/stack.mjs'

const ROW = {
  id: 'row',
  title: 'Of a file',
  updated_at: '2026-01-01T00:00:00Z',
  payload: { identity: 'of a file' },
}
export const PROMPT = '## Identity\nof a file'

/**
 * Starts it before the tests of a file and stops it after them.
 *
 * @param {import('ava').TestFn} test
 * @returns {Awaited<ReturnType<typeof startStore>> & { folder: string }} filled in before the first test; `environment` names the
 *   prompt file too; `folder` is there for the tests' files
 */
export function withStore(test) {
  const store = {}
  test.serial.before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'grove-store-'))
    const promptFile = join(folder, 'prompt.json')
    writeFileSync(promptFile, JSON.stringify(ROW))
    Object.assign(store, await startStore(), { folder })
    store.environment = { ...store.environment, SYSTEM_PROMPT_FILE: promptFile }
  })
  test.after.always(async () => {
    await store.stop?.()
    if (store.folder) rmSync(store.folder, { recursive: true })
  })
  return store
}

/** Options of a cache on it, on keys that no other test uses. */
export const optionsOn = ({ environment }, own = {}) => ({
  upstashUrl: environment.UPSTASH_REDIS_REST_URL,
  upstashToken: environment.UPSTASH_REDIS_REST_TOKEN,
  promptFile: environment.SYSTEM_PROMPT_FILE,
  keyPrefix: `test:${randomUUID()}`,
  // Long enough for a loaded machine.
  redisTimeoutMs: 5000,
  sourceTimeoutMs: 10_000,
  logLevel: 'silent',
  ...own,
})
