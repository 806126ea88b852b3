// `npm start` as its user sees it: what it prints, how it ends, and that nothing stays behind.
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const START = fileURLToPath(new URL('../dev/start.mjs', import.meta.url))
const POLL_MS = 20
const GONE_WITHIN_MS = 5000

/** Runs it; `mark` is in the PATH of every process that it starts, however far down. */
function start(t, args, environment = {}) {
  const mark = `/marked-${randomUUID()}`
  const { HOME, NODE_OPTIONS = '' } = process.env
  const child = spawn(process.execPath, [START, ...args], {
    env: { HOME, NODE_OPTIONS, ...environment, PATH: `${process.env.PATH}:${mark}` },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const run = { child, output: '', survivors: () => survivors(mark) }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (run.output += text))
  }
  run.ended = new Promise((resolve) => {
    child.once('close', (status, signal) => resolve({ status, signal }))
  })
  /** Waits for a text of the output. */
  run.printed = async (text) => {
    while (!run.output.includes(text)) {
      if (child.exitCode !== null) throw new Error(`it ended without "${text}":\n${run.output}`)
      await wait(POLL_MS)
    }
  }
  return run
}

/** Processes with the mark, as soon as there are none or the time is up. */
async function survivors(mark) {
  const deadline = performance.now() + GONE_WITHIN_MS
  for (;;) {
    const found = marked(mark)
    if (found.length === 0 || performance.now() > deadline) return found
    await wait(POLL_MS)
  }
}

function marked(mark) {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes.filter((id) => {
    try {
      return readFileSync(`/proc/${id}/environ`, 'latin1').includes(mark)
    } catch {
      return false
    }
  })
}

const needsProc = process.platform === 'linux' ? test : test.skip
// Each starts a whole stack: one after the other.
for (const [store, args] of [
  ['redis-server', ['--once']],
  ['embedded Redis', ['--once', '--embedded']],
]) {
  needsProc.serial(`a run over ${store} shows three changed instances and ends`, async (t) => {
    const run = start(t, args)
    t.deepEqual(await run.ended, { status: 0, signal: null }, run.output)
    t.true(run.output.includes(`${store} behind an Upstash bridge`), run.output)
    t.regex(run.output, /All 3 instances served the new prompt within 1000 ms/)
    t.regex(run.output, /All 3 instances served the new lens within 1000 ms/)
    t.false(run.output.includes('\u001b'), 'no colour outside a terminal')
    t.deepEqual(await run.survivors(), [])
  })
}

needsProc.serial('it stays up, and the commands that it prints do what they say', async (t) => {
  const run = start(t, [])
  await run.printed('/api/lens/story\n')
  await run.printed('Still running')
  const [console] = run.output.match(/^http:\S+\/console$/m)
  t.is((await fetch(console)).status, 200)
  t.true((await (await fetch(`${console}/state`)).json()).editable)
  const commands = run.output.replaceAll('\\\n', ' ').match(/^curl .+$/gm)
  t.is(commands.length, 11)
  if (spawnSync('curl', ['--version']).status === 0) {
    const outputs = commands.map((command) => {
      return spawnSync('sh', ['-c', command.replace('curl', 'curl -sS --fail')], {
        encoding: 'utf8',
      })
    })
    t.deepEqual(
      outputs.map(({ status, stderr }) => [status, stderr]),
      commands.map(() => [0, '']),
    )
    for (const { stdout } of outputs.slice(2, 5)) t.is(JSON.parse(stdout).title, 'By hand')
    t.regex(JSON.parse(outputs[5].stdout).fullContent, /patient gardener/)
    t.deepEqual(JSON.parse(outputs[7].stdout).invalidated.entries, 1)
    // The one that was told at once; the others are told by it.
    t.is(JSON.parse(outputs[8].stdout).lens.title, 'By hand')
  }
  run.child.kill('SIGINT')
  t.deepEqual(await run.ended, { status: 0, signal: null }, run.output)
  t.deepEqual(await run.survivors(), [])
})

for (const signal of ['SIGTERM', 'SIGKILL']) {
  needsProc.serial(`${signal} while it starts leaves no process behind`, async (t) => {
    const run = start(t, ['--once'])
    await run.printed('Listening on')
    run.child.kill(signal)
    const { status } = await run.ended
    t.is(status, signal === 'SIGTERM' ? 143 : null)
    t.deepEqual(await run.survivors(), [])
  })
}

needsProc.serial('an instance that does not start is the end of it', async (t) => {
  const run = start(t, ['--once'], { LOG_LEVEL: 'loud' })
  t.deepEqual(await run.ended, { status: 1, signal: null }, run.output)
  t.regex(run.output, /option logLevel is "loud"/)
  t.regex(run.output, /^instance-\d ended with status 1 before it listened$/m)
  t.deepEqual(await run.survivors(), [])
})

test('an argument that it does not know is refused with status 2', async (t) => {
  for (const argument of ['--onec', 'once', '--once=yes']) {
    const run = start(t, [argument])
    t.deepEqual(await run.ended, { status: 2, signal: null }, run.output)
    t.regex(run.output, /npm start -- --help/)
  }
})

test('half of a pair of variables is refused with status 2', async (t) => {
  const run = start(t, ['--once'], { SUPABASE_URL: 'https://example.supabase.co' })
  t.deepEqual(await run.ended, { status: 2, signal: null }, run.output)
  t.is(run.output, 'SUPABASE_URL is set, but SUPABASE_SERVICE_ROLE_KEY is not.\n')
})

test('--help explains it', async (t) => {
  const run = start(t, ['--help'])
  t.deepEqual(await run.ended, { status: 0, signal: null })
  for (const word of ['--once', '--embedded', 'UPSTASH_REDIS_REST_URL', 'SUPABASE_URL']) {
    t.true(run.output.includes(word), word)
  }
})
