// Legacy sources that turn on the cache which asks them. What they give otherwise is in fallbacks.test.mjs.
import test from 'ava'
import { promptCache } from '../dev/prompt-cache.mjs'
import { runProgram } from './support/program.mjs'
import { until } from '../dev/until.mjs'

/** Half of it is for the function: what stands in sooner does so for another reason. */
const PATIENT = { sourceTimeoutMs: 20_000 }
const SOON_MS = 8000
const HASTY = { sourceTimeoutMs: 600 }

/** A cache that has nobody to ask but this function. */
function cacheWith(t, legacySource, own = {}) {
  const lines = []
  const cache = promptCache({
    upstashUrl: '',
    supabaseUrl: '',
    fallbackPrompt: 'stand-in',
    logLevel: 'debug',
    onLog: (line) => lines.push(line),
    legacySource,
    ...PATIENT,
    ...own,
  })
  t.teardown(() => cache.close())
  return { cache, lines }
}

async function soon(t, read) {
  const begun = performance.now()
  const answer = await read
  t.true(performance.now() - begun < SOON_MS, `${performance.now() - begun} ms`)
  return answer
}

test('one that invalidates and reads its own cache at once gives what the inner read gave', async (t) => {
  let calls = 0
  const { cache } = cacheWith(t, async () => {
    calls += 1
    if (calls > 1) return 'the inner one'
    const [{ shared }, prompt] = await Promise.all([
      cache.invalidateSystemPrompt(),
      cache.fetchActiveSystemPrompt(),
    ])
    t.false(shared)
    return prompt
  })
  const { content, tier } = await soon(t, cache.fetchActiveSystemPromptConfig())
  t.deepEqual([content, tier], ['the inner one', 'fallback'])
  t.true(calls > 1)
})

test('one that does so each time still lets the read end in time', async (t) => {
  let asked = 0
  const again = async () => {
    asked += 1
    const both = [cache.invalidateSystemPrompt(), cache.fetchActiveSystemPrompt()]
    return (await Promise.all(both))[1]
  }
  const { cache } = cacheWith(t, again, HASTY)
  t.is(await soon(t, cache.fetchActiveSystemPrompt()), 'stand-in')
  t.true(asked > 1, 'it went on asking itself')
  // What it asks of a closed cache rejects, which ends it.
  await cache.close()
})

test('one that closes its own cache ends the read with what it gives', async (t) => {
  const { cache } = cacheWith(t, async () => {
    await cache.close()
    return 'the last one'
  })
  t.is(await soon(t, cache.fetchActiveSystemPrompt()), 'the last one')
  await t.throwsAsync(cache.fetchActiveSystemPrompt(), { code: 'CLOSED' })
})

test('one that configures the default instance which asks it ends the read with what it gives', async (t) => {
  const program = `
    import { configure, fetchActiveSystemPrompt } from 'grove-shared-cache'
    const none = { upstashUrl: '', supabaseUrl: '', logLevel: 'silent' }
    configure({ ...none, legacySource() {
      configure({ ...none, legacySource: () => 'the second one' })
      return 'the first one'
    } })
    console.log(await fetchActiveSystemPrompt())
    console.log(await fetchActiveSystemPrompt())`
  const { status, stdout, stderr } = await runProgram(program)
  t.deepEqual([status, stdout, stderr], [0, 'the first one\nthe second one\n', ''])
})

const bomb = () => {
  throw new Error('canary')
}
const BOMBS = {
  'gives a proxy that throws at each touch': () =>
    new Proxy({}, { get: bomb, has: bomb, ownKeys: bomb, getOwnPropertyDescriptor: bomb }),
  'gives an object whose `then` throws': () => Object.defineProperty({}, 'then', { get: bomb }),
  'gives an object whose `content` throws': () =>
    Object.defineProperty({}, 'content', { get: bomb, enumerable: true }),
  'gives an object whose `toJSON` throws': () => ({ content: 'x', toJSON: bomb }),
  'gives a cycle': () => {
    const cycle = { content: 'x' }
    return Object.assign(cycle, { cycle })
  },
  'gives a proxy that was revoked': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'throws a proxy that throws at each touch': () => {
    throw new Proxy({}, { get: bomb, has: bomb, ownKeys: bomb, getPrototypeOf: bomb })
  },
  'throws an error whose `code` throws': () => {
    throw Object.defineProperty(new Error('canary'), 'code', { get: bomb })
  },
  'throws an error whose `code` is no text': () => {
    throw Object.assign(new Error('canary'), { code: { toString: bomb } })
  },
  'throws an error without a prototype': () => {
    throw Object.assign(Object.create(null), { code: Object.create(null) })
  },
  'throws a symbol': () => {
    throw Symbol('canary')
  },
  'rejects with a thenable that throws': () =>
    // oxlint-disable-next-line prefer-promise-reject-errors
    Promise.reject(Object.defineProperty({}, 'then', { get: bomb })),
}

for (const [deed, legacySource] of Object.entries(BOMBS)) {
  test(`one that ${deed} is one without a prompt`, async (t) => {
    const { cache, lines } = cacheWith(t, legacySource)
    const { content, tier } = await soon(t, cache.fetchActiveSystemPromptConfig())
    t.deepEqual([content, tier], ['stand-in', 'fallback'])
    const told = await until(
      () => lines.find(({ message }) => message.includes('legacySource')),
      'the line',
    )
    t.is(told.level, 'warn')
    t.false(JSON.stringify(lines).includes('canary'))
    t.is(await cache.fetchActiveSystemPrompt(), 'stand-in', 'and the cache goes on')
  })
}

// Alone, as it holds up the loop of all tests here.
test.serial(
  'one that blocks the event loop past its time: the read ends when the loop is free',
  async (t) => {
    const BLOCKED_MS = 1500
    const legacySource = () => {
      const end = performance.now() + BLOCKED_MS
      while (performance.now() < end);
      return 'too late'
    }
    const { cache } = cacheWith(t, legacySource, HASTY)
    const begun = performance.now()
    const { content, tier } = await cache.fetchActiveSystemPromptConfig()
    t.deepEqual([content, tier], ['stand-in', 'fallback'])
    const tookMs = performance.now() - begun
    t.true(tookMs >= BLOCKED_MS && tookMs < BLOCKED_MS + 1000, `${tookMs} ms`)
  },
)

test('one whose worker is terminated while it is asked takes nobody with it', async (t) => {
  const worker = `
    import { parentPort } from 'node:worker_threads'
    import { SharedCache } from 'grove-shared-cache'
    const cache = new SharedCache({
      upstashUrl: '', supabaseUrl: '', sourceTimeoutMs: 60_000, logLevel: 'debug', onLog() {},
      legacySource: () => new Promise(() => parentPort.postMessage('asked')),
    })
    setInterval(() => {}, 1000)
    cache.systemPrompt.fetchActiveSystemPrompt()`
  const program = `
    import { Worker } from 'node:worker_threads'
    import { once } from 'node:events'
    import { SharedCache } from 'grove-shared-cache'
    const own = new SharedCache({
      upstashUrl: '', supabaseUrl: '', logLevel: 'silent', legacySource: () => 'still here',
    }).systemPrompt
    for (let round = 0; round < 10; round++) {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
      await once(worker, 'message')
      const [ended, prompt] = await Promise.all([worker.terminate(), own.fetchActiveSystemPrompt()])
      if (ended !== 1 || prompt !== 'still here') throw new Error(ended + prompt)
    }
    console.log(await own.fetchActiveSystemPrompt())`
  const { status, signal, stdout, stderr } = await runProgram(program)
  t.deepEqual([status, signal, stdout, stderr], [0, null, 'still here\n', ''])
})
