// Whether the addon works on this machine and this Node: what of it touches their interfaces, in one run without anything
// installed. The store is that of the environment, or an embedded one.
//   node dev/smoke.mjs
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import * as grove from 'grove-shared-cache'
import { promptCache } from './prompt-cache.mjs'

const HITS = 1000

const store = process.env.UPSTASH_REDIS_REST_URL ? undefined : await startEmbeddedStore()
const folder = mkdtempSync(join(tmpdir(), 'grove-smoke-'))
const promptFile = join(folder, 'prompt.json')
const shared = {
  promptFile,
  upstashUrl: process.env.UPSTASH_REDIS_REST_URL,
  upstashToken: process.env.UPSTASH_REDIS_REST_TOKEN,
  keyPrefix: `smoke:${randomUUID()}`,
  // Long enough for an emulated processor.
  redisTimeoutMs: 5000,
  sourceTimeoutMs: 10_000,
}

const required = createRequire(import.meta.url)('grove-shared-cache')
assert.equal(required, grove.default, 'require and import give the same')

edit('of a file', 0)
const lines = []
const onLog = ({ level, message }) => lines.push(`${level} ${message}`)
const cache = promptCache({
  ...shared,
  onLog,
  logLevel: 'debug',
  maxStalenessMs: 60_000,
})
assert.equal(await cache.fetchActiveSystemPrompt(), '## Identity\nof a file')
while (cache.stats().fills === 0) await new Promise(setImmediate)
for (let hit = 0; hit < HITS; hit += 1) await cache.fetchActiveSystemPrompt()
// All but one or two around a renewal of the lease.
assert.ok(cache.stats().memoryHits > HITS * 0.9, 'hits come from memory')
assert.ok(Object.isFrozen(await cache.fetchActiveSystemPromptConfig()), 'a config is frozen')
assert.ok(
  lines.some((line) => /^debug ./.test(line)),
  'lines reach onLog',
)

const worker = new Worker(new URL('smoke/worker.mjs', import.meta.url), { workerData: shared })
const ended = once(worker, 'exit')
const [seen] = await once(worker, 'message')
assert.deepEqual(
  seen,
  { content: '## Identity\nof a file', tier: 'redis' },
  'a worker reads the store',
)
assert.deepEqual(await ended, [0], 'and ends')

edit('edited', 1)
assert.equal((await cache.invalidateSystemPrompt()).shared, true)
assert.equal(await cache.fetchActiveSystemPrompt(), '## Identity\nedited')

const legacySource = async () => ({ content: 'of a function' })
const legacy = promptCache({
  upstashUrl: '',
  promptFile: '',
  legacySource,
  logLevel: 'silent',
})
assert.equal(await legacy.fetchActiveSystemPrompt(), 'of a function')

grove.configure({ ...shared, logLevel: 'silent' })
await grove.cache.set(`${shared.keyPrefix}:value`, { n: 1 }, 60)
assert.deepEqual(await grove.cache.get(`${shared.keyPrefix}:value`), { n: 1 })
assert.throws(() => grove.assemblePromptContent(1), { code: 'ARGUMENT_INVALID' })

await cache.close()
await assert.rejects(cache.fetchActiveSystemPrompt(), { code: 'CLOSED' })

// The two others stay open: the process must end by itself all the same.
rmSync(folder, { recursive: true })
if (store) {
  await grove.close()
  await store.stop()
}
console.log(`The addon works: Node ${process.versions.node} on ${process.platform}-${process.arch}`)

function edit(identity, second) {
  const updated_at = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
  const row = { id: 'row', title: 'Smoke', updated_at, payload: { identity } }
  writeFileSync(promptFile, JSON.stringify(row))
}

async function startEmbeddedStore() {
  const { startStore } = await import('./stack.mjs')
  const started = await startStore({ embedded: true })
  Object.assign(process.env, started.environment)
  return started
}
