// One program of everything that touches Node's own interfaces, under each version of Node that is supported, over a real store.
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { hasOtherNodes, NODE_VERSIONS, nodeOf } from '../dev/other-nodes.mjs'
import { runProgram } from './support/program.mjs'
import { PROMPT, withStore } from './support/store.mjs'

const store = withStore(test)
const HITS = 1000

const PROGRAM = `
  import { createRequire } from 'node:module'
  import { once } from 'node:events'
  import { readFileSync, writeFileSync } from 'node:fs'
  import { Worker } from 'node:worker_threads'
  import * as grove from 'grove-shared-cache'

  const seen = { node: process.versions.node }
  seen.required = createRequire(process.cwd() + '/')('grove-shared-cache') === grove.default

  const { PREFIX: keyPrefix, PROMPT_FILE: promptFile } = process.env
  const lines = []
  const cache = new grove.SystemPromptCache({
    keyPrefix, promptFile, redisTimeoutMs: 5000, sourceTimeoutMs: 10_000, maxStalenessMs: 60_000,
    onLog: ({ level, message }) => lines.push(level + ' ' + message), logLevel: 'debug',
  })
  seen.first = await cache.fetchActiveSystemPrompt()
  while (cache.stats().fills === 0) await new Promise(setImmediate)
  for (let hit = 0; hit < ${HITS}; hit++) await cache.fetchActiveSystemPrompt()
  seen.memoryHits = cache.stats().memoryHits
  seen.frozen = Object.isFrozen(await cache.fetchActiveSystemPromptConfig())
  seen.logged = lines.length > 0 && lines.every((line) => /^(debug|info|warn|error) ./.test(line))

  const source = \`
    import { parentPort, workerData } from 'node:worker_threads'
    import { SystemPromptCache } from 'grove-shared-cache'
    const cache = new SystemPromptCache({ ...workerData, logLevel: 'silent' })
    cache.fetchActiveSystemPromptConfig().then(({ content, tier }) => parentPort.postMessage({ content, tier }))\`
  const worker = new Worker(source, { eval: true, workerData: { keyPrefix, promptFile, redisTimeoutMs: 5000 } })
  const ended = once(worker, 'exit')
  ;[seen.worker] = await once(worker, 'message')
  ;[seen.workerStatus] = await ended

  const row = JSON.parse(readFileSync(promptFile, 'utf8'))
  row.payload.identity = 'edited'
  row.updated_at = new Date(Date.parse(row.updated_at) + 1000).toISOString()
  writeFileSync(promptFile, JSON.stringify(row))
  const { shared, generation } = await cache.invalidateSystemPrompt()
  seen.receipt = [shared, typeof generation]
  seen.edited = await cache.fetchActiveSystemPrompt()

  const legacy = new grove.SystemPromptCache({
    upstashUrl: '', promptFile: '', logLevel: 'silent',
    legacySource: async () => ({ content: 'of a function' }),
  })
  seen.legacy = await legacy.fetchActiveSystemPrompt()

  await grove.cache.set(keyPrefix + ':value', { n: 1 }, 60)
  seen.value = await grove.cache.get(keyPrefix + ':value')
  await cache.close()
  seen.closed = await cache.fetchActiveSystemPrompt().catch(({ code }) => code)
  try {
    grove.assemblePromptContent(1)
  } catch (error) {
    seen.thrown = [error instanceof Error, error.code]
  }
  // The legacy cache and the default one stay open: the process must end all the same.
  console.log(JSON.stringify(seen))`

test.serial.before(() => {
  // One after the other, before any test has begun to wait.
  if (hasOtherNodes) NODE_VERSIONS.forEach(nodeOf)
})

for (const version of NODE_VERSIONS) {
  const runs = hasOtherNodes ? test : test.skip
  runs.serial(`Node ${version} loads it, serves, invalidates, logs, closes and ends`, async (t) => {
    const promptFile = join(store.folder, `${version}.json`)
    const row = { id: 'row', title: 'Nodes', payload: { identity: 'of a file' } }
    writeFileSync(promptFile, JSON.stringify({ ...row, updated_at: '2026-01-01T00:00:00Z' }))
    const { status, signal, stdout, stderr } = await runProgram(PROGRAM, {
      node: nodeOf(version),
      environment: {
        ...store.environment,
        PREFIX: `test:${randomUUID()}`,
        PROMPT_FILE: promptFile,
      },
    })
    t.deepEqual([status, signal], [0, null], stderr)
    const { memoryHits, ...seen } = JSON.parse(stdout.trim().split('\n').at(-1))
    // All but one or two around a renewal of the lease.
    t.true(memoryHits > HITS * 0.9, `${memoryHits} hits`)
    t.deepEqual(seen, {
      node: version,
      required: true,
      first: PROMPT,
      frozen: true,
      logged: true,
      worker: { content: PROMPT, tier: 'redis' },
      workerStatus: 0,
      receipt: [true, 'number'],
      edited: '## Identity\nedited',
      legacy: 'of a function',
      value: { n: 1 },
      closed: 'CLOSED',
      thrown: [true, 'ARGUMENT_INVALID'],
    })
  })
}
