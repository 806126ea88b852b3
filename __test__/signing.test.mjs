// A signing key, as a server meets it: over a real store that somebody else writes to.
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import test from 'ava'
import { promptCache } from '../dev/prompt-cache.mjs'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { until } from '../dev/until.mjs'
import { ASKING, fleet, withStack } from './support/stack.mjs'

const stack = withStack(test)
const PROMPT = '## Identity\nsigned'
const KEY = 'canary-of-a-signing-key-0123456789'
const OTHER_KEY = 'canary-of-another-key-0123456789'

test.serial.before(() =>
  activatePrompt(stack.sql, { title: 'Signed', payload: { identity: 'signed' } }),
)

/** What whoever has the token can write without the key: whole, of the store's generation, with a hash that fits. */
async function plant(prefix, content) {
  const config = JSON.parse(await stack.redis.get(`${prefix}:system-prompt:config`))
  const sha256 = createHash('sha256').update(content).digest('hex')
  await stack.redis.set(`${prefix}:system-prompt:config`, JSON.stringify({ ...config, sha256 }))
  await stack.redis.set(`${prefix}:system-prompt:active`, content)
  // So that who holds the prompt has to read it anew.
  await stack.redis.set(`${prefix}:system-prompt:version`, '2030-01-01T00:00:00+00:00')
}

test('what somebody with the token planted is served without a key, and never with one', async (t) => {
  for (const [signingKey, served] of [
    [undefined, 'injected'],
    [KEY, PROMPT],
  ]) {
    const { instance, prefix, lines } = fleet(stack, { ...ASKING, signingKey })
    const cache = instance()
    await cache.fetchActiveSystemPrompt()
    await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
    await plant(prefix, 'injected')
    const another = instance()
    t.is(await another.fetchActiveSystemPrompt(), served)
    if (!signingKey) continue
    t.is(await cache.fetchActiveSystemPrompt(), served)
    await until(
      async () => (await stack.redis.get(`${prefix}:system-prompt:active`)) === PROMPT,
      'the repair',
    )
    t.true(another.stats().signaturesRefused >= 1)
    const warning = await until(
      () => lines.find(({ message }) => message.includes('signature is missing or wrong')),
      'the warning',
    )
    t.is(warning.level, 'warn')
    t.false(inspect(lines).includes('canary'))
  }
})

test('instances with either key and both read what the others signed', async (t) => {
  const { instance, prefix } = fleet(stack, ASKING)
  const [both, other] = [
    instance({ signingKey: OTHER_KEY, secondSigningKey: KEY }),
    instance({ signingKey: KEY, secondSigningKey: OTHER_KEY }),
  ]
  for (const [signer, reader] of [
    [both, other],
    [other, both],
  ]) {
    await signer.invalidateSystemPrompt()
    await until(() => stack.redis.exists(`${prefix}:system-prompt:active`), 'the fill')
    t.is(await reader.fetchActiveSystemPrompt(), PROMPT)
    // Once it was proved by the source, the store confirms it.
    t.is((await reader.fetchActiveSystemPromptConfig()).tier, 'redis')
  }
  for (const cache of [both, other]) t.is(cache.stats().signaturesRefused, 0)
})

test('no key is in what is thrown, counted or inspected', async (t) => {
  const short = t.throws(() => promptCache({ signingKey: 'canary' }), {
    code: 'CONFIG_INVALID',
    message: /^option signingKey is too short: it must have at least 32 characters/,
  })
  const cache = fleet(stack, { signingKey: KEY, secondSigningKey: OTHER_KEY }).instance()
  await cache.fetchActiveSystemPrompt()
  const debug = await cache.debugSystemPrompt()
  const shown = [short, cache, cache.stats(), debug, Object.getOwnPropertyDescriptors(cache)]
  const options = { depth: 10, showHidden: true, getters: true }
  for (const each of shown) t.false(inspect(each, options).includes('canary'))
  t.false(JSON.stringify(shown).includes('canary'))
})
