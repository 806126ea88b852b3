// docs/MIGRATION.md, by applying its edits to two servers of the kind that it is about: the routes before and after.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

import { startInstances } from '../dev/instances.mjs'
import { readBody, serve } from '../dev/loopback.mjs'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { snippetsOf } from '../dev/snippets.mjs'
import { until } from '../dev/until.mjs'
import { applyEdit } from './support/edits.mjs'
import { withStack } from './support/stack.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const snippets = snippetsOf(readFileSync(join(root, 'docs/MIGRATION.md'), 'utf8'))
const PACKAGES = ['@supabase/supabase-js', 'dotenv', 'express']
const KINDS = ['string', 'config']
const PROOF = 'proof'
/** Printed beside the second kind of server; what it writes to is no concern of the first. */
const COPY = '5. Copy what is written to'

const stack = withStack(test)
const world = { narratives: null }

test.serial.before(async () => {
  // The server's older source, and a model that answers with what it was told to be.
  const others = await serve(async (request, response) => {
    const { body } = await readBody(request)
    const answer =
      request.url === '/model' ? { text: JSON.parse(body).system } : (world.narratives ?? {})
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answer))
  })
  world.stop = others.stop
  world.environment = {
    MODEL_URL: `${others.url}/model`,
    NARRATIVES_URL: `${others.url}/narratives.json`,
  }
})
test.after.always(() => world.stop?.())
test.afterEach.always(() => {
  world.narratives = null
  stack.upstash.faults.clear()
})

const original = (kind) =>
  readFileSync(join(root, '__test__/fixtures/servers', kind, 'server.js'), 'utf8')

/** A server after the edits that are printed for all of its kind, and for these marks. */
function migrated(kind, { marks = [], except } = {}) {
  return snippets
    .filter(({ language, heading }) => language === 'diff' && heading !== except)
    .filter(({ mark }) => ['', kind, ...marks].includes(mark))
    .reduce((program, { text }) => applyEdit(program, text), original(kind))
}

/** The program in a folder of its own, with the packages that it imports and a `.env.local`. */
function install(t, program, environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'grove-server-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const variables = { ...stack.environment, ...world.environment, ...environment }
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(folder, '.env.local'), lines.join(''))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'server.js'), program)
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  symlinkSync(root, join(modules, 'grove-shared-cache'))
  for (const name of PACKAGES) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  return join(folder, 'server.js')
}

/** Instances of a program, which end with the test. */
async function start(t, program, { count = 1, environment } = {}) {
  const instances = await startInstances({
    count,
    environment: {},
    program: install(t, program, environment),
  })
  t.teardown(() => Promise.all(instances.map((instance) => instance.stop())))
  return instances
}

async function ask({ url }, method, path, body) {
  const response = await fetch(url + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

/** What the model is told to be in a chat that begins now. */
async function promptOf(instance) {
  const { sessionId } = await instance.chat()
  const { body } = await ask(instance, 'POST', '/api/chat', { sessionId, message: 'hello' })
  return body.response
}

/** Before and after, told that what they hold is old. */
async function bothOf(t, kind) {
  const both = [...(await start(t, original(kind))), ...(await start(t, migrated(kind)))]
  return { both, drop: () => Promise.all(both.map((instance) => instance.invalidate())) }
}

const PAYLOAD = {
  identity: 'You are “quoted”, and\r\nbroken\u2028in lines. 🌳 木',
  voiceGuidelines: 'Short.',
  structureRules: '',
  knowledgeInstructions: '  # a heading, indented\n\n',
  boundaries: `None. ${'x'.repeat(600)}`,
  closingBehavior: 'question',
  useTopicTags: false,
  unknown: 'left out',
}

for (const kind of KINDS) {
  test.serial(`${kind}: the routes answer as they did`, async (t) => {
    await activatePrompt(stack.sql, PAYLOAD)
    const { both, drop } = await bothOf(t, kind)
    await drop()
    const onBoth = (...request) => Promise.all(both.map((each) => ask(each, ...request)))

    const [promptBefore, promptAfter] = await Promise.all(both.map(promptOf))
    t.is(promptAfter, promptBefore, 'to the letter')
    t.true(promptBefore.startsWith('## Identity\nYou are “quoted”'))

    for (const body of [undefined, {}, { type: 'system-prompt' }, { type: 'rag-context' }]) {
      const [before, after] = await onBoth('POST', '/api/cache/invalidate', body)
      t.deepEqual(after, before, JSON.stringify(body))
    }
    for (const request of [
      ['GET', '/healthz'],
      ['GET', '/api/admin/prompts'],
      ['POST', '/api/chat', { sessionId: 'none', message: 'hello' }],
    ]) {
      const [before, after] = await onBoth(...request)
      t.deepEqual(after, before, request[1])
    }

    const [chatBefore, chatAfter] = await onBoth('POST', '/api/chat/init')
    for (const { body } of [chatBefore, chatAfter]) {
      t.regex(body.sessionId, /^[0-9a-f-]{36}$/)
      delete body.sessionId
    }
    t.deepEqual(chatAfter, chatBefore)

    const [debugBefore, debugAfter] = await onBoth('GET', '/api/debug/system-prompt')
    t.is(debugAfter.status, debugBefore.status)
    const { fetchedAt, ...rest } = debugBefore.body
    t.like(debugAfter.body, rest)
    t.is(new Date(debugAfter.body.fetchedAt).toISOString(), debugAfter.body.fetchedAt)
    t.is(typeof fetchedAt, 'string')
    t.true(debugAfter.body.redis.reachable)
  })

  test.serial(`${kind}: the older source and the fallback stand in as they did`, async (t) => {
    await stack.sql(`update system_prompts set status = 'archived' where status = 'active'`)
    const { both, drop } = await bothOf(t, kind)
    for (const narratives of [{ systemPrompt: 'You are a narrative.\n' }, { hubs: [] }]) {
      world.narratives = narratives
      await drop()
      const [before, after] = await Promise.all(both.map(promptOf))
      t.is(after, before)
      t.is(before === narratives.systemPrompt, 'systemPrompt' in narratives)
      const [debugBefore, debugAfter] = await Promise.all(both.map((each) => each.debug()))
      t.is(debugAfter.source, debugBefore.source)
      const [chatBefore, chatAfter] = await Promise.all(both.map((each) => each.chat()))
      t.deepEqual(Object.keys(chatAfter), Object.keys(chatBefore))
    }
  })

  test.serial(
    `${kind}: an edit invalidated through one is served by the other, which it was not`,
    async (t) => {
      await activatePrompt(stack.sql, { identity: 'you are old' })
      const befores = await start(t, original(kind), { count: 2 })
      const afters = await start(t, migrated(kind), { count: 2 })
      await afters[0].invalidate()
      for (const instance of [...befores, ...afters]) {
        t.is(await promptOf(instance), '## Identity\nyou are old')
      }
      await activatePrompt(stack.sql, { identity: 'you are new' })
      await Promise.all([befores[0].invalidate(), afters[0].invalidate()])
      const invalidated = performance.now()
      await until(async () => (await promptOf(afters[1])).endsWith('new'), 'the new prompt')
      t.true(performance.now() - invalidated < 1000)
      t.is(await promptOf(befores[1]), '## Identity\nyou are old')
      t.is(await promptOf(befores[0]), '## Identity\nyou are new')
    },
  )

  test.serial(`${kind}: with an empty URL, every instance still sees an edit`, async (t) => {
    await activatePrompt(stack.sql, { identity: 'you are unshared' })
    const environment = { UPSTASH_REDIS_REST_URL: '' }
    const [admin, other] = await start(t, migrated(kind), { count: 2, environment })
    t.is(await promptOf(other), '## Identity\nyou are unshared')
    await activatePrompt(stack.sql, { identity: 'you are seen' })
    const begun = performance.now()
    t.like(await ask(admin, 'POST', '/api/cache/invalidate'), { status: 200 })
    await until(async () => (await promptOf(other)).endsWith('seen'), 'the new prompt')
    // A lease, and what a loaded machine takes to look.
    t.true(performance.now() - begun < 1500)
    t.false((await other.debug()).redis.configured)
  })

  test.serial(`${kind}: an invalidation that Redis did not take answers 500`, async (t) => {
    const [instance] = await start(t, migrated(kind))
    await instance.chat()
    stack.upstash.faults.set({ kind: 'status', code: 503 })
    t.deepEqual(await ask(instance, 'POST', '/api/cache/invalidate'), {
      status: 500,
      body: { error: 'Cache invalidation failed' },
    })
    stack.upstash.faults.clear()
    await until(async () => {
      const { status } = await ask(instance, 'POST', '/api/cache/invalidate')
      return status === 200
    }, 'an invalidation')
  })

  // Without the option, the receipt names no instances.
  test.serial(`${kind}: the admin is told that no instance serves the old prompt`, async (t) => {
    await activatePrompt(stack.sql, { identity: 'you are old' })
    const [admin, other] = await start(t, migrated(kind, { marks: [PROOF] }), { count: 2 })
    for (const instance of [admin, other]) await instance.chat()
    await activatePrompt(stack.sql, { identity: 'you are proven' })
    const { success, message, invalidated, shared, instances, provenAfterMs, ...rest } =
      await admin.invalidate()
    t.deepEqual([success, message, invalidated], [true, 'Cache invalidated', 'system-prompt'])
    t.deepEqual([shared, rest], [true, {}])
    t.true(instances >= 2, 'those of earlier tests may be among them')
    t.true(provenAfterMs >= 0 && provenAfterMs <= 2000)
    t.is(await promptOf(other), '## Identity\nyou are proven')
  })
}

test.serial('a caller that writes to the config object has to copy it', async (t) => {
  await activatePrompt(stack.sql, { identity: 'you are shared' })
  const wish = { responseMode: 'librarian' }
  const init = async (instance, body) => (await ask(instance, 'POST', '/api/chat/init', body)).body

  const [before] = await start(t, original('config'))
  await init(before, wish)
  t.is((await init(before)).responseMode, 'librarian', 'what one chat wished, the next one got')

  const [uncopied] = await start(t, migrated('config', { except: COPY }))
  t.deepEqual(await init(uncopied, wish), { error: 'Failed to initialise chat' })

  const [after] = await start(t, migrated('config'))
  t.is((await init(after, wish)).responseMode, 'librarian')
  t.is((await init(after)).responseMode, 'architect')
})

test.serial('the commands that compare a server before and after find them equal', async (t) => {
  await activatePrompt(stack.sql, PAYLOAD)
  const folder = mkdtempSync(join(tmpdir(), 'grove-compare-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const shell = snippets.filter(({ language, text }) => language === 'sh' && /curl/.test(text))
  t.is(shell.length, 3)
  const run = async ({ text }, { url }) => {
    const script = `set -eo pipefail\n${text.replaceAll('https://SERVER', url)}`
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: folder })
    return stdout
  }
  const { both, drop } = await bothOf(t, 'config')
  await drop()
  await run(shell[0], both[0])
  t.is(await run(shell[1], both[1]), 'the same\n')
  t.regex(await run(shell[2], both[1]), /"success":true[\s\S]*reachable: true/)

  await activatePrompt(stack.sql, { identity: 'another' })
  await drop()
  const { stdout } = await t.throwsAsync(run(shell[1], both[1]))
  t.regex(stdout, /^before.txt after.txt differ/)
})

test('the edits leave nothing of the old cache, and no edit is left out', (t) => {
  const diffs = snippets.filter(({ language }) => language === 'diff')
  for (const { mark } of diffs) t.true(['', ...KINDS, PROOF].includes(mark), mark)
  for (const kind of KINDS) {
    const program = migrated(kind, { marks: [PROOF] })
    t.notRegex(program, /systemPromptCache|CACHE_TTL|assemble|invalidateSystemPromptCache/)
    t.true(program.includes(`wait: 'all'`))
  }
})

test('an edit fits in exactly one place, or throws', (t) => {
  const program = 'a\nlet b = 1\nc\nd\ne\n'
  t.is(applyEdit(program, ' a\n-let b = …\n-…\n-d\n+D'), 'a\nD\ne\n')
  t.is(applyEdit(program, '+first\n a\n …\n-d'), 'first\na\nlet b = 1\nc\ne\n')
  for (const stale of ['-f', '-let b = 2', ' a\n-c', '-A']) {
    t.throws(() => applyEdit(program, stale), { message: /fits in 0 places/ })
  }
  t.throws(() => applyEdit('a\na\n', '-a\n+b'), { message: /fits in 2 places/ })
})
