// The example's console as an operator sees it: a real browser on real processes, over the real stack.
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { chromium } from 'playwright-core'

import { startInstances } from '../dev/instances.mjs'
import { editLens } from '../dev/lens-edits.mjs'
import { sectionsOf, startPromptEditor } from '../dev/prompt-editor.mjs'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { browserPath } from '../dev/setup.mjs'
import { until } from '../dev/until.mjs'
import { withStack } from './support/stack.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PICTURES = fileURLToPath(new URL('../test-artifacts', import.meta.url))
const DESKTOP = { width: 1280, height: 900 }
const PHONE = { width: 360, height: 740 }
const LEASE_MS = 1000

const stack = withStack(test)
let browser
let editor

test.serial.before(async () => {
  mkdirSync(PICTURES, { recursive: true })
  editor = await startPromptEditor(stack.sql)
  // Chromium's own sandbox does not start as root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  browser = await chromium.launch({ executablePath: browserPath(), args })
})
test.after.always(async () => {
  await browser?.close()
  await editor?.stop()
})
test.afterEach.always(() => stack.upstash.faults.clear())

/** Three instances with traffic that the store knows for sure to be all, on keys that no other test uses; they end with the test. */
async function fleet(t, environment = {}) {
  const prefix = `test:${randomUUID()}`
  const instances = await startInstances({
    environment: { ...stack.environment, CACHE_KEY_PREFIX: prefix, ...environment },
  })
  const visit = () => instances.forEach((instance) => instance.chat().catch(() => {}))
  visit()
  const visits = setInterval(visit, 100)
  t.teardown(() => {
    clearInterval(visits)
    return Promise.all(instances.map((instance) => instance.stop()))
  })
  const isListed = async () =>
    // One field more says whether the list is whole.
    Object.keys(await stack.redis.hgetall(`${prefix}:members`)).filter((id) => id !== '~')
      .length === instances.length
  await until(isListed, 'all instances to be listed')
  await stack.redis.hset(`${prefix}:members`, '~', 'whole')
  return instances
}

/**
 * The console of an instance in a window of its own. `look` takes a picture, and sees to it that the page is accessible and no wider
 * than the window. When the test ends, nothing but `expected` may have been on the browser's console.
 */
async function open(t, { url }, { viewport = DESKTOP, colorScheme = 'light', expected = [] } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (line) => {
    if (['error', 'warning'].includes(line.type())) complaints.push(line.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) complaints.push(`asked ${request.url()}`)
  })
  const response = await page.goto(`${url}/console`)
  t.is(response.status(), 200)

  const look = async (name) => {
    await page.evaluate(AXE)
    const violations = await page.evaluate(async () => {
      const found = await globalThis.axe.run()
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)
    })
    t.deepEqual(violations, [], name)
    const [content, window] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      globalThis.innerWidth,
    ])
    t.true(content <= window, `${name}: ${content} of ${window}`)
    await page.screenshot({ path: `${PICTURES}/console-${name}.png`, fullPage: true })
  }
  const close = async () => {
    await context.close()
    const unexpected = complaints.filter((line) => !expected.some((known) => known.test(line)))
    t.deepEqual(unexpected, [])
  }
  return { page, look, close }
}

const rows = (page) => page.locator('#fleet tr .words').allTextContents()

/** Waits until the page knows all three, and that they have what the store has. */
const settled = (page) =>
  until(async () => {
    const words = await rows(page)
    return words.length === 3 && words.every((each) => each === 'current')
  }, 'a fleet of three')

async function activate(identity) {
  await activatePrompt(stack.sql, { title: `Titled ${identity}`, payload: { identity } })
}

const VIEWS = [
  ['light', { viewport: DESKTOP, colorScheme: 'light' }],
  ['dark', { viewport: DESKTOP, colorScheme: 'dark' }],
  ['phone-light', { viewport: PHONE, colorScheme: 'light' }],
  ['phone-dark', { viewport: PHONE, colorScheme: 'dark' }],
]
for (const [name, view] of VIEWS) {
  test.serial(`${name}: an edit is invalidated, and each instance confirms it`, async (t) => {
    await activate('you are on the page')
    const instances = await fleet(t, { DEMO_EDIT_URL: editor.url })
    const { page, look, close } = await open(t, instances[0], view)
    await settled(page)
    t.is(await page.textContent('#prompt-name'), 'Titled you are on the page')
    t.is(await page.textContent('#full'), '## Identity\nyou are on the page')
    await look(name)

    const content = '## Identity\nyou are edited\n\n## Boundaries\nnone'
    await page.fill('#edit-name', `Edited in ${name}`)
    await page.fill('#edit-text', content)
    await page.click('text=Save to the source')
    await page.waitForSelector('text=Saved.')
    t.is(await page.textContent('#prompt-name'), 'Titled you are on the page', 'not invalidated')

    await page.click('#invalidate')
    const proven = await page.waitForSelector('#outcome[data-kind=proven]')
    const [, after] = /^Proven everywhere after ([\d.]+) ms$/.exec(await proven.textContent())
    t.true(Number(after) < LEASE_MS, `${after} ms`)
    for (const words of await rows(page))
      t.regex(words, /^confirmed after [\d.]+ ms \(acknowledged\)$/)
    await page.waitForSelector(`#prompt-name:text-is("Edited in ${name}")`)
    t.is(await page.textContent('#full'), content)
    t.is(await page.inputValue('#edit-text'), content)
    for (const instance of instances) t.is((await instance.chat()).title, `Edited in ${name}`)

    await page.waitForSelector('#latency .mark')
    t.is(await page.locator('#propagation .mark').count(), 3)
    await page.click('summary')
    await look(`${name}-proven`)
    await close()
  })
}

test.serial('a frozen instance is gone past, by its lease', async (t) => {
  await activate('you are frozen')
  const [first, second, frozen] = await fleet(t)
  const { page, look, close } = await open(t, first)
  await settled(page)
  t.false(await page.isVisible('#edit'), 'without the demo nothing is edited')
  const { instance } = await frozen.debug()
  t.teardown(() => process.kill(frozen.pid, 'SIGCONT'))
  process.kill(frozen.pid, 'SIGSTOP')

  let asked = 0
  page.on('request', (request) => (asked += Number(request.url().endsWith('/console/state'))))
  await page.click('#invalidate')
  const row = (id) => page.locator(`#fleet tr:has(code[title="${id}"])`)
  await page.waitForSelector('#fleet tr[data-kind=ack]')
  await row(instance).locator('.words', { hasText: 'waiting' }).waitFor()
  await look('frozen-waiting')
  await page.waitForSelector('#outcome[data-kind=proven]')
  t.true(asked > 2 && asked <= 15, `${asked} questions in a second and a half at most`)
  t.regex(await row(instance).locator('.words').textContent(), /^lease expired after \d+ ms$/)
  const { instance: other } = await second.debug()
  t.regex(await row(other).locator('.words').textContent(), /^confirmed after .+ \(acknowledged\)$/)
  await page.waitForSelector('#propagation .mark.late')
  await look('frozen')
  await close()
})

test.serial('lenses that were given out are shown, and the webhook that dropped one', async (t) => {
  await activate('you have lenses')
  const secret = 'a webhook secret of 32 characters'
  const [first] = await fleet(t, { SUPABASE_WEBHOOK_SECRET: secret })
  const { page, look, close } = await open(t, first)
  await page.waitForSelector('#lenses dt:text-is("None yet")')
  await page.waitForSelector('text=None was invalidated through this server yet')
  await first.lens('numbers')
  await editLens(stack.sql, 'story', 'Through a keyhole')
  await first.lens('story')
  await page.waitForSelector('#lenses dd:text-is("Through a keyhole")')
  t.deepEqual(await page.locator('#lenses dt').allTextContents(), ['story', 'numbers'])
  await first.webhook(await editLens(stack.sql, 'story', 'Through a telescope'), secret)
  await page.waitForSelector('#changes dd:text-is("UPDATE lenses")')
  await page.waitForSelector('#changes .hint >> text=1 entry dropped')
  await first.lens('story')
  await page.waitForSelector('#lenses dd:text-is("Through a telescope")')
  await look('lenses')
  await close()
})

test.serial('with ADMIN_TOKEN the page asks for it, and keeps it in the tab', async (t) => {
  await activate('you are guarded')
  const token = 'canary-console-token'
  const [first] = await fleet(t, { ADMIN_TOKEN: token, DEMO_EDIT_URL: editor.url })
  const { page, look, close } = await open(t, first, { expected: [/status of 401/] })
  await page.waitForSelector('#token-field:focus')
  t.false(await page.isVisible('#content'))
  await look('token')
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await page.waitForSelector('text=The server did not take the token.')
  await look('token-refused')
  await page.keyboard.type(token)
  await page.keyboard.press('Enter')
  await page.waitForSelector('#invalidate:focus')
  await settled(page)
  // By the keyboard alone.
  await page.keyboard.press('Enter')
  await page.waitForSelector('#outcome[data-kind=proven]')
  t.is(await page.evaluate(() => document.activeElement.id), 'invalidate')
  await page.reload()
  await page.waitForSelector('#fleet tr')
  t.false((await page.content()).includes(token))
  await page.click('text=Forget token')
  await page.waitForSelector('#token-field:focus')
  t.is(await page.evaluate(() => sessionStorage.length), 0)
  await close()
})

test.serial('a store that fails and a server that is gone are told, with what to do', async (t) => {
  await activate('you are unlucky')
  const [first] = await fleet(t)
  const { page, look, close } = await open(t, first, {
    expected: [/status of 500/, /ERR_CONNECTION_REFUSED/, /ERR_EMPTY_RESPONSE/],
  })
  await settled(page)
  stack.upstash.faults.set({ kind: 'status', code: 503 })
  await page.click('#invalidate')
  await page.waitForSelector('text=Redis did not take the invalidation (STORE_UNAVAILABLE)')
  await page.waitForSelector('text=It is tried again in the background.')
  await page.waitForSelector('text=does not answer')
  await look('store-fails')
  stack.upstash.faults.clear()
  await page.waitForSelector('text=answers in')
  await first.stop()
  await page.waitForSelector('#notice >> text=The server does not answer.')
  await look('server-gone')
  await close()
})

test.serial('a page that runs nothing but its own files', async (t) => {
  const [{ url }] = await fleet(t)
  const response = await fetch(`${url}/console`)
  const policy = response.headers.get('content-security-policy')
  t.true(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"))
  t.false(policy.includes('unsafe'))
  const html = await response.text()
  t.notRegex(html, /<script(?![^>]*src=)|<style| style=| on\w+=/)
  for (const path of ['console.html/..%2f..%2fadmin.mjs', '%2e%2e/admin.mjs', 'nothing.js'])
    t.is((await fetch(`${url}/console/${path}`)).status, 404, path)
})

test.serial('rates are of each instance by itself, and leave out what the page did', async (t) => {
  const [first] = await fleet(t)
  const { page, close } = await open(t, first)
  const [rates, cost] = await page.evaluate(async () => {
    const { History } = await import('/console/history.js')
    const history = new History()
    const see = (at, instance, [reads, memoryHits, storeCommands], tier) => {
      const counters = { reads, memoryHits, storeCommands }
      const seen = { instance, counters, tier, askedForThis: 4, reads: [], invalidations: [] }
      history.add(seen, at)
    }
    see(0, 'one', [100, 100, 50], 'memory')
    see(1000, 'other', [7, 0, 900], 'redis')
    // Ten reads of visitors, nine of them hits, and one read of the page.
    see(6000, 'one', [111, 109, 60], 'redis')
    // Two reads of visitors, one of them a hit, and one read of the page, which was a hit.
    see(7000, 'other', [10, 2, 910], 'memory')
    return [history.hitRates, history.cost(7000)]
  })
  t.deepEqual(rates, [
    { at: 6000, rate: 0.9 },
    { at: 7000, rate: 10 / 12 },
  ])
  // Of each, six commands in six seconds besides the four for the page.
  t.deepEqual(cost, { work: 120, page: 80 })
  await close()
})

test.serial('an edited prompt becomes its sections; what has no heading is the identity', (t) => {
  const none = {
    voiceGuidelines: '',
    structureRules: '',
    knowledgeInstructions: '',
    boundaries: '',
  }
  t.deepEqual(sectionsOf(' you are plain\n'), { identity: 'you are plain', ...none })
  const text = '## Identity\na\r\n\r\n## Other\nb\n\n## Boundaries\nc\n## Boundaries\nd'
  const identity = 'a\n\n## Other\nb'
  t.deepEqual(sectionsOf(text), { ...none, identity, boundaries: 'c\n\nd' })
})

test.serial(
  'an edit that is none is refused, and without the demo there is no such route',
  async (t) => {
    await activate('you are not edited')
    const [[{ url }], [plain]] = [await fleet(t, { DEMO_EDIT_URL: editor.url }), await fleet(t)]
    const send = (to, body) =>
      fetch(`${to}/console/prompt`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    for (const body of [
      {},
      { title: 'A' },
      { title: ' ', content: 'a' },
      { title: 'A', content: 7 },
    ])
      t.is((await send(url, body)).status, 400, JSON.stringify(body))
    t.is((await send(plain.url, { title: 'A', content: 'a' })).status, 404)
    const [row] = await stack.sql(`select title from system_prompts where status = 'active'`)
    t.is(row.title, 'Titled you are not edited')
  },
)

test.serial('metrics are text for Prometheus, for who has the token', async (t) => {
  const token = 'canary-metrics-token'
  const [{ url }] = await fleet(t, { ADMIN_TOKEN: token })
  const ask = (headers) => fetch(`${url}/metrics`, { headers })
  t.is((await ask({})).status, 401)
  const response = await ask({ authorization: `Bearer ${token}` })
  t.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.regex(await response.text(), /^# TYPE grove_/m)
})
