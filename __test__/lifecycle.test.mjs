// How a process with the package in it ends, and its threads, whatever is under way. Beside what loading.test.mjs has of it.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFileSync, cpSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promptCache } from '../dev/prompt-cache.mjs'
import test from 'ava'
import { builtAddon } from '../dev/setup.mjs'
import { until } from '../dev/until.mjs'
import { runProgram } from './support/program.mjs'
import { optionsOn, PROMPT, withStore } from './support/store.mjs'

const store = withStore(test)
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SERVER = fileURLToPath(new URL('../examples/express/server.mjs', import.meta.url))
/** What a loaded machine may add to the end of a process. */
const SOON_MS = 1500

test.serial('a process with an open stream ends as soon as one without', async (t) => {
  const program = `
    import * as grove from 'grove-shared-cache'
    grove.configure({ logLevel: 'silent' })
    globalThis.kept = new grove.SharedCache({ logLevel: 'silent', onLog() {}, legacySource: () => 'x' })
    for (const cache of [grove, kept.systemPrompt]) {
      await cache.fetchActiveSystemPrompt()
      while (!(await cache.debugSystemPrompt()).redis.pushConnected) await new Promise(setImmediate)
    }
    console.log(Date.now())`
  const { environment } = store
  // How long a process takes from its last statement to its end.
  const endOf = async (source) => {
    const { status, signal, stdout, stderr } = await runProgram(source, { environment })
    t.deepEqual([status, signal, stderr], [0, null, ''])
    return Date.now() - Number(stdout)
  }
  const bare = await endOf('console.log(Date.now())')
  const open = await endOf(program)
  t.true(open < bare + SOON_MS, `${open} ms, a bare one ${bare}`)
})

test.serial('close() of a cache may be called again, and calls after it reject', async (t) => {
  const cache = promptCache(optionsOn(store))
  t.is(await cache.fetchActiveSystemPrompt(), PROMPT)
  t.deepEqual(await Promise.all([cache.close(), cache.close()]), [undefined, undefined])
  await cache.close()
  const calls = [
    'fetchActiveSystemPrompt',
    'fetchActiveSystemPromptConfig',
    'invalidateSystemPrompt',
  ]
  for (const call of calls) await t.throwsAsync(cache[call](), { code: 'CLOSED' }, call)
  t.is((await cache.debugSystemPrompt()).fullContent, PROMPT, 'it never rejects')
})

test.serial('close() amid calls of a cache: they end as they would have', async (t) => {
  for (let round = 0; round < 20; round++) {
    const cache = promptCache(optionsOn(store, { maxStalenessMs: 0 }))
    const calls = [
      cache.fetchActiveSystemPrompt(),
      cache.invalidateSystemPrompt(),
      cache.fetchActiveSystemPrompt(),
    ]
    const [first, { shared }, last] = await Promise.all([...calls, cache.close()])
    t.deepEqual([first, shared, last], [PROMPT, true, PROMPT])
    await t.throwsAsync(cache.fetchActiveSystemPrompt(), { code: 'CLOSED' })
  }
})

/** Says how many requests a server began to serve, as it ends. */
const COUNTING = `data:text/javascript,${encodeURIComponent(`
  import { subscribe } from 'node:diagnostics_channel'
  let accepted = 0
  subscribe('http.server.request.start', () => accepted++)
  process.on('exit', () => console.log('accepted', accepted))`)}`

test.serial(
  'SIGTERM under load: whatever was accepted is answered, and the server ends',
  async (t) => {
    const { PATH } = process.env
    const keys = { CACHE_KEY_PREFIX: `test:${randomUUID()}`, MAX_STALENESS_MS: '0' }
    const child = spawn(process.execPath, ['--import', COUNTING, SERVER], {
      env: { PATH, ...store.environment, ...keys, LOG_LEVEL: 'silent', PORT: '0' },
      timeout: 60_000,
    })
    const ended = new Promise((resolve) =>
      child.on('close', (status, signal) => resolve({ status, signal })),
    )
    const lines = []
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    await until(() => lines.length > 0, 'the address')
    const url = lines[0].replace('Listening on ', '')

    // Half of them over connections that are kept, half over new ones.
    const agents = [new Agent({ keepAlive: true }), new Agent()]
    let answered = 0
    const chats = new Set()
    const clients = Array.from({ length: 20 }, async (_, number) => {
      const path = number % 10 === 0 ? '/api/cache/invalidate' : '/api/chat/init'
      for (;;) {
        const status = await post(url + path, agents[number % 2]).catch(() => null)
        if (status === null) return
        answered += 1
        // An invalidation may take longer than a loaded machine gives it.
        if (path === '/api/chat/init') chats.add(status)
      }
    })
    await until(() => answered > 200, 'the load')
    child.kill('SIGTERM')
    const begun = performance.now()
    const end = await ended
    t.true(performance.now() - begun < 5000, `${performance.now() - begun} ms`)
    await Promise.all(clients)
    for (const agent of agents) agent.destroy()
    t.deepEqual(end, { status: 0, signal: null })
    t.is(stderr, '')
    t.deepEqual([...chats], [200])
    t.is(lines.at(-1), `accepted ${answered}`)
  },
)

/** @returns {Promise<number>} the status, once the answer is whole */
function post(url, agent) {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', agent }, (response) => {
      response
        .on('end', () => resolve(response.statusCode))
        .on('error', reject)
        .resume()
    })
    outgoing.on('error', reject).end()
  })
}

/** Ends by itself, or is terminated amid reads, amid invalidations, or while a `legacySource` is asked and lines wait for `onLog`. */
const WORKER = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { configure, fetchActiveSystemPrompt, invalidateSystemPrompt, SharedCache } from 'grove-shared-cache'
  const asking = { logLevel: 'silent', maxStalenessMs: 0 }
  const deeds = {
    async ends() {
      configure({ logLevel: 'silent' })
      await fetchActiveSystemPrompt()
      const own = new SharedCache({ ...asking, legacySource: () => 'x', onLog() {} }).systemPrompt
      await own.fetchActiveSystemPrompt()
      parentPort.postMessage('used')
    },
    async reads() {
      configure(asking)
      for (let read = 0; ; read++) {
        await Promise.all(Array.from({ length: 8 }, () => fetchActiveSystemPrompt()))
        if (read === 3) parentPort.postMessage('used')
      }
    },
    async invalidates() {
      configure(asking)
      for (let read = 0; ; read++) {
        await Promise.all([invalidateSystemPrompt(), invalidateSystemPrompt()])
        if (read === 1) parentPort.postMessage('used')
      }
    },
    async waits() {
      const own = new SharedCache({
        upstashUrl: '', supabaseUrl: '', promptFile: '/nowhere', maxStalenessMs: 0, sourceTimeoutMs: 60_000,
        logLevel: 'debug', onLog: () => new Promise(() => {}),
        legacySource: () => new Promise(() => parentPort.postMessage('used')),
      }).systemPrompt
      setInterval(() => {}, 1000)
      for (let read = 0; read < 20; read++) own.fetchActiveSystemPrompt()
    },
  }
  await deeds[workerData]()`

test.serial(
  '200 workers that end or are terminated leave the process and its cache as they were',
  async (t) => {
    t.timeout(90_000)
    const program = `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    import { configure, fetchActiveSystemPrompt } from 'grove-shared-cache'
    configure({ logLevel: 'silent', maxStalenessMs: 0 })
    const deeds = ['ends', 'reads', 'invalidates', 'waits']
    const one = async (number) => {
      const deed = deeds[number % deeds.length]
      const worker = new Worker(${JSON.stringify(WORKER)}, { eval: true, workerData: deed })
      const ended = once(worker, 'exit')
      await once(worker, 'message')
      if (deed !== 'ends') await worker.terminate()
      const [status] = await ended
      if (status !== (deed === 'ends' ? 0 : 1)) throw new Error(deed + ' ended with ' + status)
    }
    for (let batch = 0; batch < 25; batch++) {
      const workers = Array.from({ length: 8 }, (_, number) => one(number))
      const prompts = await Promise.all([fetchActiveSystemPrompt(), Promise.all(workers)])
      if (prompts[0] !== ${JSON.stringify(PROMPT)}) throw new Error(prompts[0])
    }
    console.log(await fetchActiveSystemPrompt())`
    const environment = { ...store.environment, RUST_BACKTRACE: '1', RUST_LOG: 'trace' }
    const end = await runProgram(program, { environment, timeoutMs: 85_000 })
    const { status, signal, stdout, stderr } = end
    t.deepEqual([status, signal, stdout, stderr], [0, null, `${PROMPT}\n`, ''])
  },
)

test.serial(
  'a process that ends amid reads, invalidations and workers prints nothing and is not killed',
  async (t) => {
    const program = `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    import { configure, fetchActiveSystemPrompt, invalidateSystemPrompt } from 'grove-shared-cache'
    configure({ logLevel: 'silent', maxStalenessMs: 0, legacySource: () => 'x' })
    const workers = ['reads', 'invalidates', 'waits'].map(
      (workerData) => new Worker(${JSON.stringify(WORKER)}, { eval: true, workerData }))
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    for (let call = 0; call < 20; call++) fetchActiveSystemPrompt(), invalidateSystemPrompt()
    process.exit(7)`
    for (let round = 0; round < 5; round++) {
      const { status, signal, stdout, stderr } = await runProgram(program, {
        environment: store.environment,
      })
      t.deepEqual([status, signal, stdout, stderr], [7, null, '', ''])
    }
  },
)

test.serial(
  'loaded as ESM, as CommonJS and as a copy of the package, each is usable and the process ends',
  async (t) => {
    const copy = join(store.folder, 'copy')
    for (const part of ['index.cjs', 'lib', 'native.js', 'package.json']) {
      cpSync(join(ROOT, part), join(copy, part), { recursive: true })
    }
    copyFileSync(builtAddon(), join(copy, basename(builtAddon())))
    const program = `
    import { createRequire } from 'node:module'
    import * as imported from 'grove-shared-cache'
    const require = createRequire(process.cwd() + '/')
    const all = [imported, require('grove-shared-cache'), require(${JSON.stringify(copy)})]
    const prompts = []
    for (const { configure, fetchActiveSystemPrompt, SharedCache } of all) {
      configure({ logLevel: 'silent' })
      const own = new SharedCache({ logLevel: 'silent' })
      prompts.push(await fetchActiveSystemPrompt(), await own.systemPrompt.fetchActiveSystemPrompt())
    }
    const [{ stats: one }, , { stats: other }] = all
    console.log(JSON.stringify({ prompts, reads: [one().reads, other().reads] }))`
    const { status, signal, stdout, stderr } = await runProgram(program, {
      environment: store.environment,
    })
    t.deepEqual([status, signal, stderr], [0, null, ''])
    const { prompts, reads } = JSON.parse(stdout)
    t.deepEqual(prompts, Array(6).fill(PROMPT))
    t.deepEqual(reads, [1, 1], 'the copy has a default instance of its own')
  },
)

test.serial('with logLevel silent nothing is printed, whatever breaks', async (t) => {
  const program = `
    import { configure, fetchActiveSystemPrompt, invalidateSystemPrompt, close } from 'grove-shared-cache'
    configure({
      logLevel: 'silent', maxStalenessMs: 0, redisTimeoutMs: 50, sourceTimeoutMs: 50,
      legacySource() { throw new Error('canary') },
    })
    for (let round = 0; round < 20; round++) {
      await fetchActiveSystemPrompt()
      await invalidateSystemPrompt().catch(() => {})
    }
    await close()`
  const environment = {
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:9',
    UPSTASH_REDIS_REST_TOKEN: 'token',
    SUPABASE_URL: 'ftp://not a url',
    SUPABASE_SERVICE_ROLE_KEY: 'key',
    NODE_EXTRA_CA_CERTS: SERVER,
    RUST_LOG: 'trace',
    RUST_BACKTRACE: 'full',
  }
  const { status, signal, stdout, stderr } = await runProgram(program, { environment })
  t.deepEqual([status, signal, stdout, stderr], [0, null, '', ''])
})
