// What `doctor` says of a broken store: the first cause alone, and how to mend it. One test at a time: deadlines are looked at.
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { serve } from '../../dev/loopback.mjs'
import { QUOTA_BODY } from '../../dev/upstash/errors.mjs'
import { hasNoSecret, runCommand, wrongBy } from '../support/command-line.mjs'
import { connectProxy } from '../support/connect-proxy.mjs'
import { bridge, bridgeWithRights, filled, isAll } from '../support/doctor.mjs'
import { withStore } from '../support/store.mjs'
import { AUTHORITY, tlsFront } from '../support/tls-front.mjs'

const store = withStore(test)
const SIGNING_KEY = 'canary-of-a-signing-key-0123456789'
test.serial(
  'a whole set-up has nothing wrong, filled or not, and leaves nothing behind',
  async (t) => {
    const { environment } = await bridge(t, store)
    const { prefix, redis, words } = await filled(t, store)
    t.deepEqual(await wrongBy(t, environment, words), [])
    const empty = `test:${randomUUID()}`
    t.deepEqual(await wrongBy(t, environment, ['--prefix', empty]), [])
    t.deepEqual(await redis.keys(`${empty}*`), [])
    t.deepEqual(await redis.keys(`${prefix}:doctor*`), [])
  },
)

test.serial('lines are for people: a level, what was looked at, and what was found', async (t) => {
  const { environment } = await bridge(t, store)
  const { status, stdout } = await runCommand(['doctor'], {
    ...environment,
    UPSTASH_REDIS_REST_TOKEN: 'canary-of-a-token',
  })
  t.is(status, 1)
  for (const line of stdout.trimEnd().split('\n')) t.regex(line, /^(ok {2}|warn|fail) \w+ +\S/)
  t.regex(stdout, /^fail redis +the token is not accepted/m)
  t.false(stdout.includes('canary'))
})

test.serial('the URL is missing while the token is there', async (t) => {
  const { UPSTASH_REDIS_REST_URL: _, ...environment } = store.environment
  isAll(
    t,
    await wrongBy(t, environment),
    'fail',
    'variables',
    /^UPSTASH_REDIS_REST_URL \(upstashUrl\) is not set: copy the REST URL/,
  )
})

test.serial('the URL is empty: switched off is no mistake', async (t) => {
  const environment = { ...store.environment, UPSTASH_REDIS_REST_URL: '' }
  isAll(t, await wrongBy(t, environment), 'warn', 'variables', /is empty: .* switched off/)
})

test.serial('the token is missing, or has quotes around it', async (t) => {
  const { UPSTASH_REDIS_REST_TOKEN: token, ...environment } = store.environment
  isAll(
    t,
    await wrongBy(t, environment),
    'fail',
    'variables',
    /but UPSTASH_REDIS_REST_TOKEN \(upstashToken\) is not: copy the REST token/,
  )
  const quoted = { ...environment, UPSTASH_REDIS_REST_TOKEN: `"${token}"` }
  isAll(
    t,
    await wrongBy(t, quoted),
    'fail',
    'variables',
    /^UPSTASH_REDIS_REST_TOKEN .*quotes around it: copy/,
  )
})

test.serial('the token is wrong', async (t) => {
  const environment = { ...store.environment, UPSTASH_REDIS_REST_TOKEN: 'canary-of-a-token' }
  isAll(
    t,
    await wrongBy(t, environment),
    'fail',
    'redis',
    /^the token is not accepted \(status 401\): copy UPSTASH_REDIS_REST_TOKEN/,
  )
})

test.serial(
  'the URL is http, of Redis itself, of an unknown host, or of a port that is shut',
  async (t) => {
    const { url, stop } = await serve(() => {})
    await stop()
    for (const [wrong, check, message] of [
      ['http://example.com', 'variables', /must begin with https:\/\//],
      ['redis://default:canary@example.com:6379', 'variables', /must not hold a user name/],
      ['rediss://example.com:6379', 'variables', /must begin with https:\/\//],
      [
        'https://no-such-database.invalid',
        'redis',
        /^the host no-such-database.invalid is unknown/,
      ],
      [url, 'redis', /^no connection to 127.0.0.1 \(ECONNREFUSED\)/],
    ]) {
      const environment = { ...store.environment, UPSTASH_REDIS_REST_URL: wrong }
      const [found, ...others] = await wrongBy(t, environment)
      t.deepEqual(others, [], wrong)
      t.like(found, { level: 'fail', check }, wrong)
      t.regex(found.message, message)
      t.regex(found.message, /UPSTASH_REDIS_REST_URL/)
      t.false(found.message.includes('canary'))
    }
  },
)

test.serial('the URL is of something else', async (t) => {
  const { environment, upstash } = await bridge(t, store)
  const page = { kind: 'garbage', body: '<html>canary</html>', contentType: 'text/html' }
  for (const [fault, message] of [
    [
      page,
      /^what answers is no Upstash REST API \(status 200, text\/html\).*UPSTASH_REDIS_REST_URL/,
    ],
    [{ ...page, kind: 'status', code: 404 }, /^what answers is no Upstash REST API \(status 404/],
    [
      { kind: 'wrongJson' },
      /^what answers is no Upstash REST API \(status 200, application\/json\)/,
    ],
    [
      { kind: 'redirect', location: 'https://example.com/canary' },
      /^answers with a redirect \(status 302\)/,
    ],
    [{ kind: 'status', code: 503 }, /^answers with status 503/],
  ]) {
    upstash.faults.set(fault)
    isAll(t, await wrongBy(t, environment), 'fail', 'redis', message)
  }
})

test.serial('the certificate is of an authority that nobody named', async (t) => {
  const front = await tlsFront(t, store.upstash.url, { http2: false })
  const environment = { ...store.environment, UPSTASH_REDIS_REST_URL: front.url }
  isAll(t, await wrongBy(t, environment), 'fail', 'redis', /^the certificate .*NODE_EXTRA_CA_CERTS/)
  t.deepEqual(await wrongBy(t, { ...environment, NODE_EXTRA_CA_CERTS: AUTHORITY }), [])
})

test.serial('Redis hangs: one deadline, and not one for each command', async (t) => {
  const { environment, upstash } = await bridge(t, store)
  upstash.faults.set({ kind: 'hang' })
  const wrong = await wrongBy(t, environment, ['--timeout-ms', '1000'])
  isAll(t, wrong, 'fail', 'redis', /does not answer within 1000 ms/)
  t.is(upstash.requests, 1)
})

test.serial('Redis is slow: what a read gives it is not enough', async (t) => {
  const { environment, upstash } = await bridge(t, store)
  const match = ({ url }) => url === '/'
  upstash.faults.set({ kind: 'delay', ms: 600, match, times: 5 })
  isAll(t, await wrongBy(t, environment), 'warn', 'redis', /a read gives it 500 ms/)
})

test.serial('the token may only read', async (t) => {
  const { environment, upstash } = await bridge(t, store)
  const readOnly = { ...environment, UPSTASH_REDIS_REST_TOKEN: upstash.readOnlyToken }
  isAll(t, await wrongBy(t, readOnly), 'fail', 'rights', /^the token may read only: copy/)
})

test.serial('the token may not run scripts, or is for other keys', async (t) => {
  const { environment } = await bridgeWithRights(t, store, '~*', '&*', '+@all', '-eval')
  isAll(t, await wrongBy(t, environment), 'fail', 'rights', /^the token may not EVAL/)
  const elsewhere = await bridgeWithRights(t, store, '~elsewhere:*', '&*', '+@all')
  isAll(
    t,
    await wrongBy(t, elsewhere.environment),
    'fail',
    'redis',
    /^the token may not read the keys under grove: give/,
  )
})

test.serial('the token of docs/SECURITY.md is enough', async (t) => {
  const guide = readFileSync(new URL('../../docs/SECURITY.md', import.meta.url), 'utf8')
  const [, rules] = guide.match(/^ACL SETUSER grove reset on >TOKEN (.+)$/m)
  const { environment } = await bridgeWithRights(t, store, ...rules.split(' '))
  t.deepEqual(await wrongBy(t, environment), [])
})

test.serial('the plan is used up, or the database is full', async (t) => {
  const { environment, upstash } = await bridge(t, store)
  upstash.faults.set({ kind: 'status', code: 400, body: QUOTA_BODY })
  isAll(
    t,
    await wrongBy(t, environment),
    'fail',
    'redis',
    /^a limit of the Upstash plan is used up/,
  )
  const body = JSON.stringify({ error: 'ERR DB capacity quota exceeded' })
  let requests = 0
  // The reads are answered, what follows them is not.
  upstash.faults.set({
    kind: 'status',
    code: 400,
    body,
    match: () => (requests += 1) > 5,
    times: 1,
  })
  const [full] = await wrongBy(t, environment)
  t.like(full, { level: 'fail', check: 'rights' })
  t.regex(full.message, /^the database is full/)
})

test.serial('the signing key is too short, and Redis is looked at all the same', async (t) => {
  const environment = { ...store.environment, SYSTEM_PROMPT_SIGNING_KEY: 'canary' }
  isAll(
    t,
    await wrongBy(t, environment),
    'fail',
    'variables',
    /^SYSTEM_PROMPT_SIGNING_KEY .*at least 32/,
  )
  const second = {
    ...store.environment,
    SYSTEM_PROMPT_SIGNING_KEY: SIGNING_KEY,
    SYSTEM_PROMPT_SECOND_SIGNING_KEY: 'canary',
  }
  isAll(
    t,
    await wrongBy(t, second),
    'fail',
    'variables',
    /^SYSTEM_PROMPT_SECOND_SIGNING_KEY .*at least 32/,
  )
  const { status, stdout } = await runCommand(['doctor'], environment)
  t.is(status, 1)
  t.regex(stdout, /^ok {3}redis /m)
})

test.serial('the clock is off by minutes', async (t) => {
  const ahead = { clockAheadMs: 180_000 }
  isAll(
    t,
    await wrongBy(t, store.environment, [], ahead),
    'warn',
    'clock',
    /clock is 180 s ahead: set it by NTP/,
  )
  const behind = { clockAheadMs: -180_000 }
  isAll(
    t,
    await wrongBy(t, store.environment, [], behind),
    'warn',
    'clock',
    /clock is 180 s behind/,
  )
  const signed = { ...store.environment, SYSTEM_PROMPT_SIGNING_KEY: SIGNING_KEY }
  isAll(t, await wrongBy(t, signed, [], ahead), 'fail', 'clock', /180 s ahead.*signing key/)
  // Where TIME is not permitted, an answer says what time it is.
  const { environment } = await bridgeWithRights(t, store, '~*', '&*', '+@all', '-time')
  isAll(
    t,
    await wrongBy(t, environment, [], ahead),
    'warn',
    'clock',
    /clock is (179|180|181) s ahead/,
  )
})

test.serial('pub/sub is not permitted', async (t) => {
  for (const [rules, message] of [
    [['~*', '&*', '+@all', '-subscribe'], /^the token may not SUBSCRIBE on grove:events/],
    [['~*', '&*', '+@all', '-publish'], /^the token may not PUBLISH on grove:events/],
    [['~*', 'resetchannels', '+@all'], /^the token may not SUBSCRIBE on grove:events/],
    [['~*', '&grove:doctor:*', '+@all'], /^the token may not SUBSCRIBE on grove:events/],
  ]) {
    const { environment } = await bridgeWithRights(t, store, ...rules)
    isAll(t, await wrongBy(t, environment), 'fail', 'push', message)
  }
})

test.serial('the stream is held back, closed, or not there', async (t) => {
  const { environment, upstash } = await bridge(t, store)
  upstash.faults.silenceStreams()
  const mute = await wrongBy(t, environment, ['--timeout-ms', '1000'])
  isAll(t, mute, 'warn', 'push', /nothing arrives within 1000 ms: .* unbuffered/)
  upstash.faults.silenceStreams(false)
  const match = ({ url }) => url.startsWith('/subscribe/')
  const contentType = 'text/event-stream'
  upstash.faults.set({ kind: 'status', code: 200, contentType, match })
  isAll(t, await wrongBy(t, environment), 'warn', 'push', /^the stream is closed by the other side/)
  upstash.faults.set({ kind: 'hang', match })
  const held = await wrongBy(t, environment, ['--timeout-ms', '1000'])
  isAll(t, held, 'warn', 'push', /^the stream is not opened within 1000 ms: .* unbuffered/)
  upstash.faults.set({ kind: 'status', code: 404, body: '{}', match })
  isAll(t, await wrongBy(t, environment), 'warn', 'push', /^no stream \(.*status 404/)
})

/** A server that answers subscriptions by `stream`, and has everything else answered by the store's bridge. */
async function frontOf(t, stream) {
  const front = await serve(async (request, response) => {
    const { method, url, headers } = request
    const { host: _, 'content-length': length, ...others } = headers
    const body = Buffer.concat(await request.toArray())
    const answer = await fetch(store.upstash.url + url, { method, headers: others, body })
    t.is(body.length, Number(length))
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') })
    if (url.startsWith('/subscribe/')) return stream(response, answer)
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  t.teardown(front.stop)
  return { ...store.environment, UPSTASH_REDIS_REST_URL: front.url }
}

test.serial('the stream opens, and what is published does not arrive', async (t) => {
  const words = ['--timeout-ms', '1000']
  const onlyOpens = await frontOf(t, async (response, answer) => {
    const { value: first } = await answer.body.getReader().read()
    response.write(first)
  })
  const lost = await wrongBy(t, onlyOpens, words)
  isAll(t, lost, 'warn', 'push', /nothing arrives within 1000 ms/)
  const elsewhere = await frontOf(t, async (response, answer) => {
    const channel = answer.url.split('/subscribe/')[1]
    await answer.body.cancel()
    response.write(`data: subscribe,${channel},1\n\n`)
  })
  const unknown = await wrongBy(t, elsewhere, words)
  isAll(t, unknown, 'warn', 'push', /Redis knows of no subscriber/)
})

test.serial('behind a proxy, it goes through the tunnel as the servers do', async (t) => {
  const front = await tlsFront(t, store.upstash.url, { http2: false })
  const proxy = await connectProxy(t)
  const environment = {
    ...store.environment,
    UPSTASH_REDIS_REST_URL: front.url,
    NODE_EXTRA_CA_CERTS: AUTHORITY,
    HTTPS_PROXY: `http://someone:hunter2@127.0.0.1:${proxy.port}`,
  }
  t.deepEqual(await wrongBy(t, environment), [])
  t.deepEqual([...new Set(proxy.targets)], [new URL(front.url).host])
  const direct = { ...environment, NO_PROXY: '127.0.0.0/8' }
  const before = proxy.targets.length
  t.deepEqual(await wrongBy(t, direct), [])
  t.is(proxy.targets.length, before)
  const { url, stop } = await serve(() => {})
  await stop()
  const shut = { ...environment, HTTPS_PROXY: url }
  isAll(
    t,
    await wrongBy(t, shut),
    'fail',
    'redis',
    /^the proxy of HTTPS_PROXY is not reached \(ECONNREFUSED\)/,
  )
})

test.serial('variables come from a file, and nothing of it is repeated', async (t) => {
  const file = `${store.folder}/.env.local`
  const lines = Object.entries(store.environment).map(([name, value]) => `${name}=${value}`)
  writeFileSync(file, lines.join('\n'))
  const { status, stdout } = await runCommand(['doctor', '--env-file', file])
  t.is(status, 0, stdout)
  hasNoSecret(t, stdout, store.environment)
  const without = await runCommand(['doctor'], {}, { cwd: store.folder })
  t.is(without.status, 1)
  t.regex(without.stdout, /^warn variables +there is a .env.local: --env-file .env.local reads it/m)
})
