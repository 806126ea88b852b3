// What a hit gives and costs. The measuring programs run in processes of their own, which nothing else disturbs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promptCache } from '../dev/prompt-cache.mjs'
import test from 'ava'
import { SharedCache } from 'grove-shared-cache'
import { runProgram } from './support/program.mjs'
import { until } from '../dev/until.mjs'

/** Just within the cap of 4 MiB, with the heading. */
const LONGEST = (4 << 20) - 100

/** A row of a prompt file: a source that needs no server. */
const rowOf = (identity, second = 0) => {
  const updated_at = new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()
  return JSON.stringify({ id: 'row', title: 'Hits', updated_at, payload: { identity } })
}

/** A prompt file with this identity, gone after the test. */
function promptFile(t, identity) {
  const folder = mkdtempSync(join(tmpdir(), 'grove-hits-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'prompt.json')
  writeFileSync(path, rowOf(identity))
  return path
}

/** A cache on a prompt file; its leases outlast the test. */
function cacheOn(t, path) {
  const cache = promptCache({
    promptFile: path,
    upstashUrl: '',
    maxStalenessMs: 60_000,
    logLevel: 'silent',
  })
  t.teardown(() => cache.close())
  return cache
}

/** What the program prints as JSON. */
async function measured(t, path, flags, body) {
  const program = `
    import * as grove from 'grove-shared-cache'
    import { writeFileSync } from 'node:fs'
    const path = ${JSON.stringify(path)}
    const rowOf = ${rowOf}
    const options = { promptFile: path, upstashUrl: '', maxStalenessMs: 60_000, logLevel: 'silent' }
    grove.configure(options)
    const { fetchActiveSystemPrompt, fetchActiveSystemPromptConfig } = grove
    // Resident, once what nobody holds is collected; with --expose-gc.
    const settledMiB = async () => {
      for (let turn = 0; turn < 10; turn++) {
        gc()
        await new Promise(setImmediate)
      }
      return process.memoryUsage().rss / 2 ** 20
    }
    await fetchActiveSystemPrompt()
    ${body}`
  const { status, stdout, stderr } = await runProgram(program, { flags, timeoutMs: 90_000 })
  t.is(status, 0, stderr)
  return JSON.parse(stdout)
}

test('hits give the same promise until the prompt is another', async (t) => {
  const path = promptFile(t, 'one')
  const cache = cacheOn(t, path)
  await cache.fetchActiveSystemPrompt()
  const first = cache.fetchActiveSystemPrompt()
  t.is(cache.fetchActiveSystemPrompt(), first)
  t.is(await first, '## Identity\none')

  writeFileSync(path, rowOf('two', 1))
  await cache.invalidateSystemPrompt()
  t.is(await cache.fetchActiveSystemPrompt(), '## Identity\ntwo')
  const second = cache.fetchActiveSystemPrompt()
  t.not(second, first)
  t.is(cache.fetchActiveSystemPrompt(), second)
  t.is(await second, '## Identity\ntwo')
  t.is(await first, '## Identity\none', 'who kept the old one still has it')
})

test('reads that wait for one load share it, and what it gives', async (t) => {
  const loads = []
  const cache = promptCache({
    upstashUrl: '',
    supabaseUrl: '',
    logLevel: 'silent',
    legacySource: () => new Promise((resolve) => loads.push(resolve)),
  })
  t.teardown(() => cache.close())
  const reads = Array.from({ length: 1000 }, () => cache.fetchActiveSystemPrompt())
  const configs = Array.from({ length: 2 }, () => cache.fetchActiveSystemPromptConfig())
  const invalidation = cache.invalidateSystemPrompt()
  const later = cache.fetchActiveSystemPrompt()
  for (const prompt of ['one', 'two']) {
    const resolve = await until(() => loads.shift(), 'the load')
    resolve(prompt)
  }
  t.deepEqual(await Promise.all([reads[0], reads[999], later]), ['one', 'one', 'two'])
  const [config, same] = await Promise.all(configs)
  t.is(config.content, 'one')
  t.is(same, config)
  await invalidation
  const { reads: counted, joined } = cache.stats()
  t.deepEqual([counted, joined], [1003, 1001])
})

test('configs are frozen, and hits share one', async (t) => {
  const cache = cacheOn(t, promptFile(t, 'one'))
  const loaded = await cache.fetchActiveSystemPromptConfig()
  const hit = await cache.fetchActiveSystemPromptConfig()
  t.deepEqual(hit, { ...loaded, tier: 'memory' })
  t.is(await cache.fetchActiveSystemPromptConfig(), hit)
  for (const config of [loaded, hit]) {
    t.throws(() => (config.content = 'mine'), { instanceOf: TypeError })
  }
})

test('what is closed has no hits, and its functions need no receiver', async (t) => {
  const cache = cacheOn(t, promptFile(t, 'one'))
  const { fetchActiveSystemPrompt, fetchActiveSystemPromptConfig } = cache
  for (const receiver of [undefined, {}, Object.create(cache)]) {
    t.is(await fetchActiveSystemPrompt.call(receiver), '## Identity\none')
  }
  await cache.close()
  await t.throwsAsync(fetchActiveSystemPrompt(), { code: 'CLOSED' })
  await t.throwsAsync(fetchActiveSystemPromptConfig(), { code: 'CLOSED' })
})

test('a class of the user’s own may extend the cache', async (t) => {
  class Shouting extends SharedCache {
    async get(id) {
      return (await this.systemPrompt.fetchActiveSystemPrompt()).toUpperCase() + id
    }
  }
  const path = promptFile(t, 'one')
  const cache = new Shouting({ promptFile: path, upstashUrl: '', logLevel: 'silent' })
  t.teardown(() => cache.close())
  t.is(await cache.get('!'), '## IDENTITY\nONE!')
  t.true(cache instanceof SharedCache)
  t.is(SharedCache.name, 'SharedCache')
})

test('a hit takes nothing from the heap of JavaScript', async (t) => {
  // Room enough that no collection comes between the two looks; the program’s own loops are warm by then.
  const flags = ['--max-semi-space-size=128', '--min-semi-space-size=128', '--expose-gc']
  const bytes = await measured(
    t,
    promptFile(t, 'x'.repeat(15_000)),
    flags,
    `const cache = new grove.SharedCache(options).systemPrompt
     await cache.fetchActiveSystemPrompt()
     const reads = {
       prompt: fetchActiveSystemPrompt,
       config: fetchActiveSystemPromptConfig,
       ofClass: () => cache.fetchActiveSystemPrompt(),
     }
     const HITS = 1_000_000
     const bytes = {}
     for (const [name, read] of Object.entries(reads)) {
       const hits = () => { for (let hit = 0; hit < HITS; hit++) read() }
       await read()
       hits()
       gc()
       const before = process.memoryUsage().heapUsed
       hits()
       bytes[name] = (process.memoryUsage().heapUsed - before) / HITS
     }
     console.log(JSON.stringify(bytes))`,
  )
  t.deepEqual(Object.keys(bytes), ['prompt', 'config', 'ofClass'])
  // Not quite 0, as V8 notes what it sees. A promise alone would be 40.
  for (const [name, each] of Object.entries(bytes)) t.true(each < 8, `${name}: ${each} bytes a hit`)
})

test('a hit takes about as long as a local variable, however long the prompt is', async (t) => {
  const ratios = await measured(
    t,
    promptFile(t, 'x'.repeat(LONGEST)),
    [],
    `writeFileSync(path, rowOf('x'.repeat(15_000)))
     const short = new grove.SharedCache(options).systemPrompt
     await short.fetchActiveSystemPrompt()
     const local = { value: await short.fetchActiveSystemPrompt(), at: Date.now() }
     async function fromVariable() {
       if (local.value && Date.now() - local.at < 300_000) return local.value
     }
     const sides = {
       local: async (n) => { for (; n > 0; n--) await fromVariable() },
       short: async (n) => { for (; n > 0; n--) await short.fetchActiveSystemPrompt() },
       long: async (n) => { for (; n > 0; n--) await fetchActiveSystemPrompt() },
       config: async (n) => { for (; n > 0; n--) await fetchActiveSystemPromptConfig() },
     }
     if ((await fetchActiveSystemPrompt()).length < ${LONGEST}) throw new Error('it is not the long one')
     // The fastest of many short rounds: what else the machine does only ever adds.
     const fastest = {}
     for (let round = 0; round < 60; round++) {
       for (const [name, side] of Object.entries(sides)) {
         const begun = performance.now()
         await side(5_000)
         fastest[name] = Math.min(performance.now() - begun, fastest[name] ?? Infinity)
       }
     }
     const ratios = {}
     for (const name of ['short', 'long', 'config']) ratios[name] = fastest[name] / fastest.local
     console.log(JSON.stringify(ratios))`,
  )
  // Measured: 1.2. A copy of the short prompt alone would be 30, a spawned task 1000.
  for (const [name, ratio] of Object.entries(ratios)) t.true(ratio < 3, `${name}: ${ratio}`)
})

test('ten thousand changes leave the memory as it was', async (t) => {
  const grown = await measured(
    t,
    promptFile(t, 'x'),
    ['--expose-gc'],
    `const change = async (second) => {
       writeFileSync(path, rowOf(String(second).padEnd(65_536, 'x'), second))
       await grove.invalidateSystemPrompt()
       for (const read of [fetchActiveSystemPrompt, fetchActiveSystemPromptConfig]) {
         await read()
         await read()
       }
       const prompt = await fetchActiveSystemPrompt()
       if (!prompt.startsWith('## Identity\\n' + second + 'x')) throw new Error('it is an old one')
     }
     for (let second = 1; second <= 1000; second++) await change(second)
     const before = await settledMiB()
     for (let second = 1001; second <= 11_000; second++) await change(second)
     console.log(JSON.stringify(await settledMiB() - before))`,
  )
  // Kept, they would be 640 MiB in each of three places.
  t.true(grown < 32, `${grown} MiB`)
})

test('a cache that nobody holds any more is freed with its prompt', async (t) => {
  const grown = await measured(
    t,
    promptFile(t, 'x'.repeat(1 << 20)),
    ['--expose-gc'],
    `const use = async (count) => {
       for (; count > 0; count--) {
         const cache = new grove.SharedCache(options).systemPrompt
         for (let read = 0; read < 3; read++) await cache.fetchActiveSystemPrompt()
         if (count % 20 === 0) await settledMiB()
       }
     }
     await use(100)
     const before = await settledMiB()
     await use(400)
     console.log(JSON.stringify(await settledMiB() - before))`,
  )
  // Each holds its prompt twice, in Rust and in JavaScript: 800 MiB.
  t.true(grown < 64, `${grown} MiB`)
})

test('a worker has promises of its own, which end with it', async (t) => {
  const prompts = await measured(
    t,
    promptFile(t, 'one'),
    [],
    `import { Worker } from 'node:worker_threads'
     import { once } from 'node:events'
     const worker = \`
       import { parentPort, workerData } from 'node:worker_threads'
       import * as grove from 'grove-shared-cache'
       grove.configure(workerData)
       await grove.fetchActiveSystemPrompt()
       const [first, second] = [grove.fetchActiveSystemPrompt(), grove.fetchActiveSystemPrompt()]
       parentPort.postMessage([await first, first === second])\`
     const held = fetchActiveSystemPrompt()
     const prompts = []
     for (let round = 0; round < 5; round++) {
       const started = new Worker(worker, { eval: true, workerData: options })
       const [[message]] = await Promise.all([once(started, 'message'), once(started, 'exit')])
       prompts.push(message)
     }
     prompts.push([await fetchActiveSystemPrompt(), fetchActiveSystemPrompt() === held])
     console.log(JSON.stringify(prompts))`,
  )
  t.deepEqual(prompts, Array(6).fill(['## Identity\none', true]))
})
