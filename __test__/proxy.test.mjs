// A store behind a proxy, as the environment says it.
import test from 'ava'
import { connectProxy } from './support/connect-proxy.mjs'
import { runProgram } from './support/program.mjs'
import { PROMPT, withStore } from './support/store.mjs'
import { AUTHORITY, tlsFront } from './support/tls-front.mjs'

const store = withStore(test)

/** Reads, waits for the stream, invalidates and reads again. */
const PROGRAM = `
  import { configure, fetchActiveSystemPromptConfig, invalidateSystemPrompt, stats } from 'grove-shared-cache'
  configure({ redisTimeoutMs: 5000, logLevel: 'silent', maxStalenessMs: 0 })
  await fetchActiveSystemPromptConfig()
  while (stats().pushConnects === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const { shared } = await invalidateSystemPrompt()
  const { content, tier } = await fetchActiveSystemPromptConfig()
  console.log(JSON.stringify({ shared, content, tier }))`

/** What the program says with these variables, the store behind TLS. */
async function throughTls(t, variables) {
  const front = await tlsFront(t, store.upstash.url)
  const environment = {
    ...store.environment,
    UPSTASH_REDIS_REST_URL: front.url,
    NODE_EXTRA_CA_CERTS: AUTHORITY,
    ...variables,
  }
  const { status, stdout, stderr } = await runProgram(PROGRAM, { environment })
  t.is(status, 0, stderr)
  t.deepEqual(JSON.parse(stdout), { shared: true, content: PROMPT, tier: 'redis' })
  return { front, target: new URL(front.url).host }
}

for (const variable of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY']) {
  test(`${variable}: prompt, invalidation and stream go through its tunnel, and it reads none of it`, async (t) => {
    const proxy = await connectProxy(t)
    const { front, target } = await throughTls(t, {
      [variable]: `http://someone:hunter2@127.0.0.1:${proxy.port}`,
    })
    t.true(front.versions.length > 0)
    t.deepEqual([...new Set(proxy.targets)], [target])
    const basic = `Basic ${Buffer.from('someone:hunter2').toString('base64')}`
    t.deepEqual([...new Set(proxy.authorizations)], [basic])
    // What it saw of the tunnels begins with the names, and is TLS from there on.
    t.true(proxy.seen().length > 1000)
    for (const secret of [store.upstash.token, 'authorization: bearer', 'of a file', 'subscribe'])
      t.false(proxy.seen().toLowerCase().includes(secret.toLowerCase()), secret)
  })
}

test('NO_PROXY: a host that it names is asked directly', async (t) => {
  const proxy = await connectProxy(t)
  const { front } = await throughTls(t, {
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    NO_PROXY: 'example.com,127.0.0.1',
  })
  t.deepEqual(proxy.targets, [])
  t.true(front.connections > 0)
})

test('NO_PROXY: a host that it does not name still goes through the proxy', async (t) => {
  const proxy = await connectProxy(t)
  const { target } = await throughTls(t, {
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    NO_PROXY: 'example.com',
  })
  t.deepEqual([...new Set(proxy.targets)], [target])
})

test('a proxy that is not there: the source is served', async (t) => {
  const front = await tlsFront(t, store.upstash.url)
  const program = `
    import { configure, fetchActiveSystemPromptConfig } from 'grove-shared-cache'
    configure({ logLevel: 'silent' })
    console.log((await fetchActiveSystemPromptConfig()).tier)`
  const environment = {
    ...store.environment,
    UPSTASH_REDIS_REST_URL: front.url,
    HTTPS_PROXY: 'http://127.0.0.1:9',
  }
  const { status, stdout } = await runProgram(program, { environment })
  t.is(status, 0)
  t.is(stdout, 'source\n')
  t.is(front.connections, 0, 'nobody went around the proxy')
})
