// What `handleSupabaseWebhook()` hands to the handler of webhooks: the secret, the resources and the way to invalidate. The addon and
// the handler are played.
import { createRequire } from 'node:module'
import test from 'ava'

import { fakeCache, RECEIPT } from '../support/fake-addon.mjs'

const require = createRequire(import.meta.url)
const SECRET = 'of at least thirty-two characters'
const VARIABLE = 'SUPABASE_WEBHOOK_SECRET'

/** What each handler was made with; a request is answered with what it says. */
const made = []
require('../../lib/webhook.cjs').webhookHandler = (parts) => {
  made.push(parts)
  return async (request) => ({ status: 200, body: request })
}

/** The parts that a cache with these options gives. */
async function partsOf(options, prepare = () => {}) {
  const { cache, addon } = fakeCache(options)
  prepare(cache)
  await cache.handleSupabaseWebhook('request')
  return { ...made.pop(), cache, addon }
}

test.afterEach.always(() => {
  delete process.env[VARIABLE]
})

test.serial('there is one handler for a cache, and none before the first webhook', async (t) => {
  const { cache } = fakeCache()
  t.is(made.length, 0)
  await cache.handleSupabaseWebhook('one')
  await cache.handleSupabaseWebhook('two')
  t.is(made.splice(0).length, 1)
})

test.serial(
  'the secret is the option, else the variable as it is at the first webhook',
  async (t) => {
    process.env[VARIABLE] = 'another of thirty-two characters'
    t.is((await partsOf({ webhookSecret: ` ${SECRET}\n` })).secret(), SECRET)
    const { cache } = fakeCache()
    process.env[VARIABLE] = ` ${SECRET}\n`
    await cache.handleSupabaseWebhook('request')
    const { secret } = made.pop()
    t.is(secret(), SECRET)
    delete process.env[VARIABLE]
    t.is(secret(), SECRET, 'it was read once')
    t.is((await partsOf({ webhookSecret: undefined })).secret(), null)
  },
)

test('an option that is no secret is refused, and not shown', (t) => {
  for (const [webhookSecret, message] of [
    ['canary', /^option webhookSecret is too short: it must have at least 32 characters, such as/],
    ['', /^option webhookSecret is too short/],
    [`canary${' '.repeat(32)}`, /^option webhookSecret is too short/],
    [Buffer.from(SECRET), /^option webhookSecret is an object: it must be a string/],
    [null, /^option webhookSecret is null: it must be a string/],
  ]) {
    const error = t.throws(() => fakeCache({ webhookSecret }), { code: 'CONFIG_INVALID', message })
    t.false(error.message.includes('canary'))
  }
})

test.serial(
  'a variable that is no secret is one warning, and none that is configured',
  async (t) => {
    process.env[VARIABLE] = 'canary'
    const lines = []
    const { secret } = await partsOf({ onLog: (line) => lines.push(line) })
    t.deepEqual([secret(), secret()], [null, null])
    t.is(lines.length, 1)
    t.is(lines[0].level, 'warn')
    t.regex(
      lines[0].message,
      /^\[Cache\] No webhook is accepted: SUPABASE_WEBHOOK_SECRET \(webhookSecret\) must/,
    )
    t.false(lines[0].message.includes('canary'))

    const silent = await partsOf({ onLog: (line) => lines.push(line), logLevel: 'silent' })
    t.is(silent.secret(), null)
    t.is(lines.length, 1)
    const throwing = await partsOf({
      onLog() {
        throw new Error('of the logger')
      },
    })
    t.is(throwing.secret(), null)
    const rejecting = await partsOf({ onLog: () => Promise.reject(new Error('of the logger')) })
    t.is(rejecting.secret(), null)
    // An unhandled rejection would fail the file.
    await new Promise(setImmediate)
  },
)

test.serial('what a webhook met is a warning where the others are', async (t) => {
  const lines = []
  const onLog = (line) => lines.push(line)
  const { warn } = await partsOf({ onLog, logLevel: 'warn' })
  warn('webhook: all of lens is invalidated')
  t.deepEqual(lines, [{ level: 'warn', message: '[Cache] webhook: all of lens is invalidated' }])
  for (const logLevel of ['error', 'silent']) {
    const quiet = await partsOf({ onLog, logLevel })
    quiet.warn('not to be heard')
  }
  t.is(lines.length, 1)
  const { warn: toConsole } = await partsOf()
  const real = console.warn
  console.warn = onLog
  try {
    toConsole('to the console')
  } finally {
    console.warn = real
  }
  t.is(lines[1], '[Cache] to the console')
})

test.serial(
  'the resources are those that the cache has when it is asked, with their tables',
  async (t) => {
    const ids = (row) => row.id
    const { cache, resources } = await partsOf({}, (one) =>
      one.resource({ name: 'a', load: () => null, tables: { lenses: ids, themes: true } }),
    )
    cache.resource({ name: 'b', supabase: { table: 'hubs', match: 'id' } })
    const [first, second, ...more] = resources()
    t.is(first.name, 'a')
    t.deepEqual(first.tables, { lenses: ids, themes: true })
    t.deepEqual([second.name, Object.keys(second.tables), more], ['b', ['hubs'], []])
  },
)

test.serial(
  'what a webhook invalidates goes to the addon, and what is refused rejects',
  async (t) => {
    const { invalidate, addon } = await partsOf()
    const asked = { entries: { a: ['1'] }, tags: ['table:public.lenses'] }
    t.deepEqual(await invalidate(asked), RECEIPT)
    const [[targets]] = addon.invalidations
    t.deepEqual(targets, { entries: [['a', '1']], resources: [], tags: ['table:public.lenses'] })
    await t.throwsAsync(invalidate({ entries: { a: [''] } }), { code: 'ARGUMENT_INVALID' })
  },
)
