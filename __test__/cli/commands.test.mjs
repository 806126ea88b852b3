// The commands beside `doctor`: what they print, what they end with, and that they end.
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { promptCache } from '../../dev/prompt-cache.mjs'
import { startUpstash } from '../../dev/upstash/server.mjs'
import { until } from '../../dev/until.mjs'
import { hasNoSecret, runCommand, startCommand } from '../support/command-line.mjs'
import { optionsOn, withStore } from '../support/store.mjs'

const store = withStore(test)
const COMMANDS = ['doctor', 'status', 'invalidate', 'watch']

/** A prompt file and a prefix of one test, a server that uses them, and the words for the command line. */
function serverOf(t) {
  const name = randomUUID()
  const promptFile = join(store.folder, `${name}.json`)
  const write = (title) =>
    writeFileSync(
      promptFile,
      JSON.stringify({
        id: name,
        title,
        updated_at: new Date().toISOString(),
        payload: { identity: 'of a file' },
      }),
    )
  write('First')
  const keyPrefix = `test:${name}`
  const instance = (own) => {
    const cache = promptCache(optionsOn(store, { promptFile, keyPrefix, ...own }))
    t.teardown(() => cache.close())
    return cache
  }
  const environment = { ...store.environment, SYSTEM_PROMPT_FILE: promptFile }
  return { write, instance, environment, words: ['--key-prefix', keyPrefix] }
}

/** The objects of an output that has one in each line. */
const objectsOf = (stdout) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))

test('help shows every command and option, and what is unknown ends with 2', async (t) => {
  for (const words of [['--help'], ['help'], ['doctor', '--help'], []]) {
    const { status, stdout, stderr } = await runCommand(words)
    t.is(status, words.length === 0 ? 2 : 0, words.join(' '))
    t.is(stderr, '')
    for (const word of [...COMMANDS, '--json', '--env-file']) t.true(stdout.includes(word), word)
  }
  const help = (await runCommand(['help'])).stdout
  const source = readFileSync(new URL('../../cli/command-line.mjs', import.meta.url), 'utf8')
  for (const [, option] of source.matchAll(/^ {2}'?([\w-]+)'?: \{ type/gm))
    t.true(help.includes(`--${option}`), option)
  for (const [words, message] of [
    [['docter'], /there is no command "docter"\n\n.*doctor/s],
    [['constructor'], /there is no command "constructor"/],
    [['doctor', '--jsno'], /Unknown option '--jsno'/],
    [['doctor', 'now'], /Unexpected argument 'now'/],
    [['doctor', '--once'], /Unknown option '--once'/],
    [['status', '--timeout-ms', '0'], /--timeout-ms is "0": it must be a whole number from 1/],
    [['status', '--timeout-ms', 'soon'], /--timeout-ms is "soon"/],
  ]) {
    const { status, stdout, stderr } = await runCommand(words)
    t.is(status, 2, words.join(' '))
    t.is(stdout, '')
    t.regex(stderr, message)
    t.notRegex(stderr, /^ +at /m)
  }
  for (const command of COMMANDS) {
    const wrong = await runCommand([command, '--key-prefix', 'a b'], store.environment)
    t.is(wrong.status, 2)
    t.regex(wrong.stderr, /keyPrefix is "a b": it must be/)
  }
})

test('a file of variables that is not there', async (t) => {
  const { status, stderr } = await runCommand(['status', '--env-file', '/no/such/file'])
  // Node 20 takes the option for its own, wherever it stands, and ends with 9.
  t.true([2, 9].includes(status), String(status))
  t.regex(stderr, /\/no\/such\/file/)
})

test('an addon that cannot be loaded is one message, and no stack', async (t) => {
  const environment = { NAPI_RS_NATIVE_LIBRARY_PATH: '/no/such/addon.node' }
  for (const command of COMMANDS) {
    const { status, stdout, stderr } = await runCommand([command], environment)
    t.is(status, 1)
    t.is(stdout, '')
    t.regex(stderr, /^grove-shared-cache: grove-shared-cache could not load its addon on /)
    t.notRegex(stderr, /^ +at /m)
  }
})

test('the version is that of the package', async (t) => {
  const { version } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  t.like(await runCommand(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' })
})

test('status: the prompt that is active, Redis, and the instances with what they acknowledged', async (t) => {
  const { instance, environment, words } = serverOf(t)
  const [admin, server] = [instance(), instance()]
  await admin.fetchActiveSystemPrompt()
  await server.fetchActiveSystemPrompt()
  const { generation } = await admin.invalidateSystemPrompt({ wait: 'all' })
  // Where its lease expired first, it acknowledges later.
  await server.fetchActiveSystemPrompt()
  const acknowledged = async () => {
    const { fleet } = await admin.debugSystemPrompt()
    return fleet.some((it) => it.id === server.stats().instance && it.generation === generation)
  }
  await until(acknowledged, 'the acknowledgement')
  const lines = await runCommand(['status', ...words], environment)
  t.is(lines.status, 0, lines.stderr)
  t.regex(lines.stdout, /^prompt {3}"First", 21 characters, version 20/m)
  t.regex(lines.stdout, /^tier {5}(redis|source), loaded from file at 20/m)
  t.regex(lines.stdout, /^redis {4}answers in \d.*, not signed$/m)
  t.regex(lines.stdout, new RegExp(`^stored {3}generation ${generation}, expires in \\d+ s$`, 'm'))
  t.regex(lines.stdout, /^breaker {2}closed$/m)
  t.regex(lines.stdout, /^push {5}connected$/m)
  t.regex(lines.stdout, /^fleet {4}3 instances$/m)
  const line = `${server.stats().instance}  has acknowledged ${generation}, lease`
  t.true(lines.stdout.includes(line), lines.stdout)
  t.regex(lines.stdout, /\(this command\)$/m)
  hasNoSecret(t, lines.stdout, environment)

  const { status, stdout } = await runCommand(['status', '--json', ...words], environment)
  t.is(status, 0)
  const [state] = objectsOf(stdout)
  t.like(state, { title: 'First', contentLength: 21, redis: { generation, reachable: true } })
  t.false('fullContent' in state || 'contentPreview' in state)
  t.is(state.fleet.length, 3)
  hasNoSecret(t, stdout, environment)
})

test('status: a stand-in ends with 1, and why there is no shared cache is said', async (t) => {
  const environment = { FALLBACK_SYSTEM_PROMPT: 'canary-of-a-fallback' }
  const { status, stdout } = await runCommand(['status'], environment)
  t.is(status, 1)
  t.regex(stdout, /^tier {5}fallback/m)
  t.regex(stdout, /^redis {4}none: UPSTASH_REDIS_REST_URL .* is not set/m)
  hasNoSecret(t, stdout, environment)
  const { environment: whole, words } = serverOf(t)
  const wrong = { ...whole, UPSTASH_REDIS_REST_TOKEN: 'canary-of-a-token' }
  const refused = await runCommand(['status', ...words], wrong)
  t.is(refused.status, 1)
  t.regex(refused.stdout, /^tier {5}source/m)
  t.regex(
    refused.stdout,
    /^redis {4}does not answer \(unauthorized\): `grove-shared-cache doctor` says what to do$/m,
  )
})

test('invalidate: a line for each instance, and when it was proven for all', async (t) => {
  const { instance, environment, words } = serverOf(t)
  const servers = [instance(), instance()]
  for (const server of servers) {
    await server.fetchActiveSystemPrompt()
    await until(() => server.stats().pushConnects === 1, 'the stream')
  }
  const { status, stdout, stderr } = await runCommand(['invalidate', ...words], environment)
  t.is(status, 0, stdout + stderr)
  t.regex(stdout, /^generation \d+, committed at 20/m)
  for (const { id } of servers.map((server) => ({ id: server.stats().instance })))
    t.regex(stdout, new RegExp(`^${id} {2}after \\S+ m?s: (acknowledged|its lease expired)$`, 'm'))
  t.regex(stdout, /^proven for \d+ instances after \S+ m?s$/m)

  const json = await runCommand(['invalidate', '--json', ...words], environment)
  t.is(json.status, 0)
  const [receipt] = objectsOf(json.stdout)
  t.like(receipt, { shared: true })
  t.true(receipt.provenAfterMs >= 0)
  t.true(receipt.instances.length >= 2)
})

test('invalidate: an instance that does not answer in time is not proven', async (t) => {
  const { instance, environment, words } = serverOf(t)
  // It holds a lease of a minute, and hears of nothing.
  const silent = instance({ push: false, maxStalenessMs: 60_000 })
  await silent.fetchActiveSystemPrompt()
  const limited = [...words, '--timeout-ms', '2000']
  const { status, stdout } = await runCommand(['invalidate', ...limited], environment)
  t.is(status, 1)
  t.regex(stdout, new RegExp(`^${silent.stats().instance} {2}not confirmed$`, 'm'))
  t.regex(stdout, /^not proven: 1 of \d+ instances? did not confirm within 2000 ms/m)
  // Where no instance was listed before, there may be some that the list has lost.
  const nobody = ['--key-prefix', `test:${randomUUID()}`, '--timeout-ms', '1']
  const unknown = await runCommand(['invalidate', ...nobody], environment)
  t.is(unknown.status, 1)
  t.regex(unknown.stdout, /^not proven: it was not known within 1 ms whether these are all/m)
})

test('invalidate: not shared, or not taken, ends with 1 and says why', async (t) => {
  const { environment, words } = serverOf(t)
  const off = { ...environment, UPSTASH_REDIS_REST_URL: '' }
  const { status, stdout } = await runCommand(['invalidate', ...words], off)
  t.is(status, 1)
  t.regex(stdout, /^not shared: UPSTASH_REDIS_REST_URL \(upstashUrl\) is empty\. No other instance/)
  const wrong = { ...environment, UPSTASH_REDIS_REST_TOKEN: 'canary-of-a-token' }
  const refused = await runCommand(['invalidate', ...words], wrong)
  t.is(refused.status, 1)
  t.regex(refused.stdout, /^not invalidated: .*UPSTASH_REDIS_REST_TOKEN/)
  hasNoSecret(t, refused.stdout, wrong)
  const json = await runCommand(['invalidate', '--json', ...words], wrong)
  t.is(json.status, 1)
  t.like(objectsOf(json.stdout)[0], {
    error: { code: 'STORE_UNAVAILABLE', cause: 'unauthorized' },
  })
})

test('watch: what is active, then each change, until it is interrupted', async (t) => {
  const { write, instance, environment, words } = serverOf(t)
  const server = instance()
  await server.fetchActiveSystemPrompt()
  const { child, output, ended } = startCommand(['watch', ...words], environment)
  await until(() => output.stdout.includes('"First"'), 'the first line')
  for (const title of ['Second', 'Third']) {
    write(title)
    await server.invalidateSystemPrompt()
    await until(() => output.stdout.includes(`"${title}"`), title)
  }
  child.kill('SIGINT')
  const { status, stdout, stderr } = await ended
  t.is(status, 0)
  t.is(stderr, '')
  for (const line of stdout.trimEnd().split('\n'))
    t.regex(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}\w+, generation \d+, version 20/)
  hasNoSecret(t, stdout, environment)
})

test('watch: a lease that is renewed is no change, and --once ends after the first one', async (t) => {
  const { write, instance, environment, words } = serverOf(t)
  const server = instance()
  await server.fetchActiveSystemPrompt()
  const upstash = await startUpstash({ redis: store.store })
  t.teardown(() => upstash.stop())
  const { child, output, ended } = startCommand(['watch', '--once', '--json', ...words], {
    ...environment,
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: upstash.token,
  })
  await until(() => output.stdout !== '', 'the first line')
  const { requests } = upstash
  await until(() => upstash.requests > requests + 2, 'two leases')
  t.is(objectsOf(output.stdout).length, 1)
  write('Second')
  await server.invalidateSystemPrompt()
  await until(() => child.exitCode !== null, 'the end')
  const { status, stdout } = await ended
  t.is(status, 0)
  const [first, second, ...others] = objectsOf(stdout)
  t.deepEqual(others, [])
  t.is(first.title, 'First')
  t.true(second.generation > first.generation)
  t.false('content' in second)
})

test('a reader who has seen enough leaves no stack behind', async (t) => {
  const { instance, write, environment, words } = serverOf(t)
  const server = instance()
  const watching = startCommand(['watch', ...words], environment)
  await until(() => watching.output.stdout.includes('"First"'), 'the first line')
  watching.child.stdout.destroy()
  write('Second')
  await server.invalidateSystemPrompt()
  const examining = startCommand(['doctor', ...words], environment)
  examining.child.stdout.destroy()
  for (const { child, ended } of [watching, examining]) {
    await until(() => child.exitCode !== null, 'the end')
    const { status, stderr } = await ended
    t.is(stderr, '')
    t.is(status, 0)
  }
})
