// How programs come by the package: ESM, CommonJS, TypeScript, workers; and that it never keeps them from ending.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { runProgram } from './support/program.mjs'
import { withStack } from './support/stack.mjs'

const stack = withStack(test)
const PROMPT = '## Identity\nloaded'

test.serial.before(() =>
  activatePrompt(stack.sql, { title: 'Loading', payload: { identity: 'loaded' } }),
)

/** The stack's variables, with keys of this program's own. */
const environment = () => ({ ...stack.environment })

const NAMES = [
  'CacheError',
  'SharedCache',
  'assemblePromptContent',
  'cache',
  'close',
  'configure',
  'debugSystemPrompt',
  'featureFlag',
  'fetchActiveSystemPrompt',
  'fetchActiveSystemPromptConfig',
  'invalidateSystemPrompt',
  'lensConfiguration',
  'metrics',
  'narrativeGraph',
  'ragContext',
  'sharedCache',
  'stats',
  'supabaseResource',
]

test.serial('an ES module imports the names', async (t) => {
  const program = `
    import { ${NAMES.join(', ')} } from 'grove-shared-cache'
    console.log([${NAMES.join(', ')}].map((each) => typeof each).join())
    console.log(await fetchActiveSystemPrompt())`
  const { status, stdout } = await runProgram(program, { environment: environment() })
  t.is(status, 0)
  t.is(
    stdout.split('\n')[0],
    NAMES.map((name) => (name === 'cache' ? 'object' : 'function')).join(),
  )
  t.true(stdout.includes(PROMPT))
})

test('an ES module and a CommonJS module have the same of it', async (t) => {
  const { default: whole, ...imported } = await import('grove-shared-cache')
  const required = createRequire(import.meta.url)('grove-shared-cache')
  t.is(whole, required)
  t.deepEqual(imported, { ...required })
  t.deepEqual(Object.keys(imported).toSorted(), NAMES.toSorted())
})

test.serial('a CommonJS module requires them', async (t) => {
  const program = `
    const { fetchActiveSystemPrompt, cache } = require('grove-shared-cache')
    fetchActiveSystemPrompt().then((prompt) => console.log(prompt, Object.keys(cache).join()))`
  const { status, stdout } = await runProgram(program, {
    type: 'commonjs',
    environment: environment(),
  })
  t.is(status, 0)
  t.true(
    stdout.includes(`${PROMPT} del,get,set`) || stdout.includes(`${PROMPT} get,set,del`),
    stdout,
  )
})

test.serial('variables that are set after the import are used', async (t) => {
  const program = `
    import { fetchActiveSystemPromptConfig } from 'grove-shared-cache'
    Object.assign(process.env, ${JSON.stringify(environment())})
    console.log((await fetchActiveSystemPromptConfig()).title)`
  const { stdout } = await runProgram(program)
  t.regex(stdout, /^Loading$/m)
})

test.serial('with nothing configured there is the fallback prompt, and two warnings', async (t) => {
  const program = `
    import { fetchActiveSystemPrompt } from 'grove-shared-cache'
    for (let read = 0; read < 3; read++) console.log('prompt:', await fetchActiveSystemPrompt())`
  const { status, stdout, stderr } = await runProgram(program, {
    environment: { FALLBACK_SYSTEM_PROMPT: 'of the environment' },
  })
  t.is(status, 0)
  t.is(stdout.match(/^prompt: of the environment$/gm).length, 3)
  t.is(stderr.match(/^\[(Cache|SystemPrompt)\]/gm).length, 2, stderr)
})

test.serial('a wrong environment is a warning that says what to do, never a crash', async (t) => {
  const program = `
    import { fetchActiveSystemPrompt } from 'grove-shared-cache'
    console.log(await fetchActiveSystemPrompt())`
  const { status, stdout, stderr } = await runProgram(program, {
    environment: { ...environment(), UPSTASH_REDIS_REST_URL: 'http://canary.example.com' },
  })
  t.is(status, 0)
  t.true(stdout.includes(PROMPT))
  t.true(stderr.includes('UPSTASH_REDIS_REST_URL (upstashUrl) must begin with https://'), stderr)
  t.false(stderr.includes('canary'))
})

test.serial('importing alone does nothing and ends at once', async (t) => {
  const bare = await runProgram('')
  const importing = await runProgram(`import 'grove-shared-cache'`, { environment: environment() })
  t.is(importing.status, 0)
  t.is(importing.stdout + importing.stderr, '')
  t.true(importing.ms < bare.ms + 2000, `${importing.ms} ms`)
})

test.serial('a process with a used cache ends by itself', async (t) => {
  const program = `
    import { SharedCache, fetchActiveSystemPrompt, configure } from 'grove-shared-cache'
    await fetchActiveSystemPrompt()
    globalThis.kept = new SharedCache({ onLog() {}, legacySource: async () => 'x' })
    await kept.systemPrompt.fetchActiveSystemPrompt()
    console.log('done')`
  const { status, signal, stdout } = await runProgram(program, { environment: environment() })
  t.is(signal, null, 'it was not killed after 30 s')
  t.is(status, 0)
  t.regex(stdout, /^done$/m)
})

test.serial('workers load it, use it at the same time and end', async (t) => {
  const worker = `
    import { parentPort } from 'node:worker_threads'
    import { fetchActiveSystemPrompt } from 'grove-shared-cache'
    parentPort.postMessage(await fetchActiveSystemPrompt())`
  const program = `
    import { Worker } from 'node:worker_threads'
    import { once } from 'node:events'
    const one = async () => {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
      const [[prompt], [status]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      return [prompt, status]
    }
    for (let round = 0; round < 3; round++) {
      const ended = await Promise.all(Array.from({ length: 8 }, one))
      console.log(JSON.stringify(ended.flat()))
    }`
  const { status, signal, stdout, stderr } = await runProgram(program, {
    environment: environment(),
  })
  t.is(signal, null)
  t.is(status, 0, stderr)
  const rounds = stdout.split('\n').filter((line) => line.startsWith('["'))
  t.deepEqual(rounds, Array(3).fill(JSON.stringify(Array(8).fill([PROMPT, 0]).flat())))
})

test.serial('the default instance is closed, and configured again', async (t) => {
  const program = `
    import * as grove from 'grove-shared-cache'
    await grove.close()
    await grove.close()
    const codes = []
    for (const call of [grove.fetchActiveSystemPrompt, grove.fetchActiveSystemPromptConfig, grove.invalidateSystemPrompt,
      () => grove.cache.get('k'), () => grove.cache.set('k', 1), () => grove.cache.del('k')]) {
      await call().catch((error) => codes.push(error.code))
    }
    console.log(codes.join())
    console.log((await grove.debugSystemPrompt()).tier)
    grove.configure({})
    console.log(await grove.fetchActiveSystemPrompt())`
  const { status, stdout, stderr } = await runProgram(program, { environment: environment() })
  t.is(status, 0, stderr)
  t.true(stdout.includes(Array(6).fill('CLOSED').join()), stdout)
  t.true(stdout.includes(PROMPT))
})

test.serial('calls that were made before close end as they would have', async (t) => {
  const program = `
    import * as grove from 'grove-shared-cache'
    await grove.fetchActiveSystemPrompt()
    for (let round = 0; round < 50; round++) {
      grove.configure({ logLevel: 'silent' })
      const calls = [grove.invalidateSystemPrompt(), grove.fetchActiveSystemPrompt(), grove.cache.get('k')]
      grove.close()
      const ends = await Promise.allSettled(calls)
      if (ends.some(({ status }) => status !== 'fulfilled')) throw ends
    }
    console.log('all ended')`
  const { stdout, stderr } = await runProgram(program, { environment: environment() })
  t.true(stdout.includes('all ended'), stderr)
})

test.serial('a console that throws does not take the process down', async (t) => {
  const program = `
    import { fetchActiveSystemPrompt } from 'grove-shared-cache'
    const { log } = console
    console.info = console.warn = () => { throw new Error('broken pipe') }
    await fetchActiveSystemPrompt()
    log(await fetchActiveSystemPrompt())`
  const { status, stdout, stderr } = await runProgram(program, { environment: environment() })
  t.is(status, 0, stderr)
  t.true(stdout.includes(PROMPT))
})

test.serial('a proxy is not given what goes to a loopback address', async (t) => {
  const program = `
    import { fetchActiveSystemPromptConfig } from 'grove-shared-cache'
    console.log((await fetchActiveSystemPromptConfig()).title)`
  const { stdout } = await runProgram(program, {
    environment: {
      ...environment(),
      HTTP_PROXY: 'http://127.0.0.1:9',
      http_proxy: 'http://127.0.0.1:9',
    },
  })
  t.regex(stdout, /^Loading$/m)
})

const compile = (project) =>
  execFileSync('npx', ['tsc', '--project', fileURLToPath(new URL(project, import.meta.url))], {
    encoding: 'utf8',
  })

test.serial('the types are what the calls take and give, under --strict', (t) => {
  t.notThrows(() => compile('types'))
})

// Without metrics, the types are those of an earlier version.
test.serial('every call, option and answer has its type, under the strictest settings', (t) => {
  t.notThrows(() => compile('types/tsconfig.json'))
})
