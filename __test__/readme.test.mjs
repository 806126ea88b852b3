// The code that the documents print, run: what a reader copies works.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { assemblePromptContent } from 'grove-shared-cache'
import { promptCache } from '../dev/prompt-cache.mjs'

import { snippetsOf } from '../dev/snippets.mjs'
import { startSource } from '../dev/stack.mjs'
import { runProgram } from './support/program.mjs'
import { readExposition, samplesOf, valueOf } from './support/prometheus.mjs'
import { selects, selectorsIn } from './support/promql.mjs'
import { wrongShell } from './support/shell-snippets.mjs'
import { PROMPT, withStore } from './support/store.mjs'

const store = withStore(test)
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const README = 'README.md'
const MIGRATION = 'docs/MIGRATION.md'
const SECURITY = 'docs/SECURITY.md'
const RESOURCES = 'docs/RESOURCES.md'
const WEBHOOKS = 'docs/WEBHOOKS.md'
const DOCUMENTS = [
  README,
  MIGRATION,
  SECURITY,
  RESOURCES,
  WEBHOOKS,
  'examples/express/README.md',
  'fuzz/README.md',
]

/** What resources are read from; the prompt of the other snippets is that of a file. */
let source
test.serial.before(async () => {
  source = await startSource()
  await source.sql(`insert into feature_flags (key, enabled) values ('dark-mode', true)`)
})
test.after.always(() => source?.stop())

/**
 * How each snippet is tested: the document, the heading above it, its language ('' for none), and the way. Snippets of one heading and
 * language are taken in their order. Those in `sh` need no line here: each is read by a shell, and what it names must be there.
 */
let shownReceipt
const WAYS = [
  [README, 'Use', 'js', runs({ after: theRoutesOfUse(), prints: servesThePrompt })],
  [README, 'Use', '', isWhatIsAssembled],
  [README, 'Metrics', 'js', runs({ after: theScrapes(), prints: wantsTheToken })],
  [README, 'Metrics', 'promql', selectsMetrics],
  [
    README,
    'Metrics',
    'js',
    runs({
      before: `
        import { subscribe } from 'node:diagnostics_channel'
        const heard = []
        subscribe('grove-shared-cache', (line) => heard.push(line))`,
      after: `
        const { fetchActiveSystemPrompt } = await import('grove-shared-cache')
        // The stream may open between two reads, and the later one ask again.
        while (!heard.some(({ message }) => message.includes('(memory)'))) {
          await fetchActiveSystemPrompt()
          await new Promise(setImmediate)
        }
        console.log(JSON.stringify(heard))`,
      prints: (t, last) => {
        t.true(last.length >= 2, 'of the load too')
        t.is(last.at(-1).level, 'debug')
        t.true(last.every(({ level, message }) => level && message.startsWith('[SystemPrompt]')))
      },
    }),
  ],
  [
    README,
    'Did it arrive everywhere?',
    'js',
    runs({
      before: `
        import { fetchActiveSystemPrompt, invalidateSystemPrompt } from 'grove-shared-cache'
        await fetchActiveSystemPrompt()`,
      after: `console.log(JSON.stringify(receipt))`,
      prints: (t, receipt) => (shownReceipt = receipt),
    }),
  ],
  [README, 'Did it arrive everywhere?', 'json', isOfTheSameShape],
  [
    README,
    'Small JSON values',
    'js',
    runs({
      after: `
        await cache.set('lenses', { active: ['story'] }, 60)
        const there = await cache.get('lenses')
        console.log(JSON.stringify([there, await cache.del('lenses'), await cache.get('lenses')]))`,
      prints: (t, last) => t.deepEqual(last, [{ active: ['story'] }, true, null]),
    }),
  ],
  [README, 'Command line', '', isTestedIn('cli/doctor-source.test.mjs')],
  [MIGRATION, '1. Import', 'diff', isTestedIn('migration.test.mjs')],
  [MIGRATION, '1. Import', 'diff', isTestedIn('migration.test.mjs')],
  [
    MIGRATION,
    '1. Import',
    'js',
    runs({
      type: 'commonjs',
      after: `
        configure({ fallbackPrompt: 'of a constant' })
        Promise.all([fetchActiveSystemPrompt(), invalidateSystemPrompt(), debugSystemPrompt()]).then(
          ([{ content }, { shared }, { fullContent }]) =>
            console.log(JSON.stringify([content, shared, fullContent])),
        )`,
      prints: (t, last) => t.deepEqual(last, [PROMPT, true, PROMPT]),
    }),
  ],
  [MIGRATION, '2. Delete the cache', 'diff', isTestedIn('migration.test.mjs')],
  [MIGRATION, '2. Delete the cache', 'diff', isTestedIn('migration.test.mjs')],
  [MIGRATION, '3. Await the invalidation', 'diff', isTestedIn('migration.test.mjs')],
  [MIGRATION, '4. Await the debug route', 'diff', isTestedIn('migration.test.mjs')],
  [MIGRATION, '5. Copy what is written to', 'diff', isTestedIn('migration.test.mjs')],
  [MIGRATION, 'What the admin can be told', 'diff', isTestedIn('migration.test.mjs')],
  [
    RESOURCES,
    'Resources',
    'js',
    runs({
      before: theDocuments(),
      after: `
        console.log(JSON.stringify({ documents, tier, fetchedAt, several }))
        server.close()
        server.closeAllConnections()`,
      prints: (t, { documents, tier, fetchedAt, several }) => {
        t.deepEqual(documents, [{ hub: 'grove' }])
        // The stream may open between two reads, and the later one ask again.
        t.true(['memory', 'redis'].includes(tier), tier)
        t.true(fetchedAt > 0)
        t.deepEqual(several, [documents, null])
      },
    }),
  ],
  [
    RESOURCES,
    'Ready-made',
    'js',
    runs({
      ofSource: true,
      after: `
        const all = await Promise.all([rag.get('a'), lens.get('a'), graph.get('a'), titles.get('a')])
        console.log(JSON.stringify([enabled, ...all]))`,
      prints: (t, last) => t.deepEqual(last, [true, [], null, [], []]),
    }),
  ],
  [
    RESOURCES,
    'Invalidate',
    'js',
    runs({
      before: `
        import { SharedCache } from 'grove-shared-cache'
        const cache = new SharedCache()
        let loads = 0
        const tags = (id) => ['hub:' + id]
        const rag = cache.resource({ name: 'rag', load: () => (loads += 1), tags })
        const first = await rag.get('grove')`,
      after: `
        const { instance } = cache.stats()
        console.log(JSON.stringify({ first, second: await rag.get('grove'), receipt, instance }))`,
      prints: (t, { first, second, receipt, instance }) => {
        t.true(first < second)
        t.true(receipt.shared && receipt.provenAfterMs !== null)
        // Processes of other snippets may be listed still.
        t.is(receipt.instances[0].id, instance)
      },
    }),
  ],
  [
    RESOURCES,
    'When a load fails',
    'js',
    runs({
      before: `
        import { SharedCache } from 'grove-shared-cache'
        const load = async () => {
          throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
        }
        const lens = new SharedCache().resource({ name: 'lens', load })
        const said = []
        console.log = (...words) => said.push(words)`,
      after: `console.info(JSON.stringify(said))`,
      prints: (t, last) => t.deepEqual(last, [[true, 'ECONNREFUSED', 'connect']]),
    }),
  ],
  [SECURITY, 'A Redis token for these keys only', '', isTestedIn('least-privilege.test.mjs')],
  [SECURITY, 'A Supabase key for one table only', 'sql', isTestedIn('least-privilege.test.mjs')],
  [WEBHOOKS, 'Set up', 'js', isTestedIn('webhook-requests.test.mjs')],
  [WEBHOOKS, 'Set up', 'sql', isTestedIn('webhook-sql.test.mjs')],
  [WEBHOOKS, 'Set up', 'sql', isTestedIn('webhook-sql.test.mjs')],
  [WEBHOOKS, 'What a row concerns', 'js', isTestedIn('webhook-targets.test.mjs')],
]

const ways = new Map()
for (const [document, heading, language, way] of WAYS) {
  const place = placeOf(document, { heading, language })
  ways.set(place, [...(ways.get(place) ?? []), way])
}

for (const document of DOCUMENTS) {
  for (const snippet of snippetsOf(read(document))) {
    const place = placeOf(document, snippet)
    const way = snippet.language === 'sh' ? isReadByAShell : ways.get(place)?.shift()
    test.serial(`${place}, line ${snippet.line}`, (t) => {
      if (!way) return t.fail('nothing tests it: say how, in WAYS of __test__/readme.test.mjs')
      return way(t, snippet.text, document)
    })
  }
}

test('there is a snippet for each line of the table', (t) => {
  const left = [...ways].filter(([, waiting]) => waiting.length > 0).map(([place]) => place)
  t.deepEqual(left, [])
})

test('what a shell would not find is found', (t) => {
  for (const [text, message] of [
    ['echo "open', /the shell cannot read it/],
    ['npm run nothing', /no npm script nothing/],
    ['npm install left-pad', /left-pad is neither/],
    ['npm install express@3', /express@3 is neither/],
    ['npm install ./grove-shared-cache-9.9.9.tgz', /9\.9\.9\.tgz is neither/],
    ['cd x && npx nothing --at-all', /npx finds no nothing/],
    ['node dev/nothing.mjs', /there is no dev\/nothing.mjs/],
    ['UPSTASH_URL=x', /the variable UPSTASH_URL/],
    ['gcloud run services update S \\\n  --update-env-vars REDIS_URL=', /the variable REDIS_URL/],
    ['frobnicate', /the command frobnicate/],
  ]) {
    const wrong = wrongShell(text, README)
    t.is(wrong.length, 1, text)
    t.regex(wrong[0], message)
  }
})

/** By which a table line and a snippet find each other. */
function placeOf(document, { heading, language }) {
  return `${document}, ${heading}${language && `, ${language}`}`
}

function isReadByAShell(t, text, document) {
  t.deepEqual(wrongShell(text, document), [])
}

/** The fields' names in angle brackets are their texts. */
function isWhatIsAssembled(t, text) {
  const fields = [...text.matchAll(/<(\w+)>/g)].map(([, name]) => [name, `<${name}>`])
  t.is(fields.length, 5)
  t.is(text, assemblePromptContent(Object.fromEntries(fields)))
}

/** Another test reads it from the document. */
function isTestedIn(file) {
  return (t, text, document) =>
    t.true(read(`__test__/${file}`).includes(document), `${file} does not read ${document}`)
}

/**
 * The snippet runs in a process of its own, over a real store.
 *
 * @param {{ type?: 'module' | 'commonjs', before?: string, after?: string, ofSource?: boolean,
 *   prints: (t: import('ava').ExecutionContext, last: unknown) => void }} program `before`, `after`: stand-ins for what the snippet
 *   names and does not define, and what is asked of what it defines; the last line that is printed is JSON. `ofSource`: with
 *   Supabase too
 */
function runs({ type = 'module', before = '', after = '', ofSource = false, prints }) {
  return async (t, text) => {
    const environment = {
      ...store.environment,
      ...(ofSource && source.environment),
      METRICS_TOKEN: 'of-the-scraper',
    }
    const program = [before, text, after].join('\n')
    const { status, signal, stdout, stderr } = await runProgram(program, { type, environment })
    t.is(status, 0, `${signal ?? ''}${stderr}`)
    prints(t, JSON.parse(stdout.trim().split('\n').at(-1)))
  }
}

/** What the snippet before it gave, in place of what is printed there. */
function isOfTheSameShape(t, text) {
  const printed = JSON.parse(text)
  t.deepEqual(Object.keys(printed), Object.keys(shownReceipt))
  for (const instance of printed.instances)
    t.deepEqual(Object.keys(instance), Object.keys(shownReceipt.instances[0]))
  t.is(printed.provenAfterMs, Math.max(...printed.instances.map((it) => it.confirmedAfterMs)))
  t.true(shownReceipt.provenAfterMs > 0 && shownReceipt.shared)
}

/** Each line that is no comment is a query, and selects something of what `metrics()` gives. */
async function selectsMetrics(t, text) {
  const cache = promptCache({ upstashUrl: '', supabaseUrl: '', logLevel: 'silent' })
  // A resource is counted from its first use on.
  await cache.fetchActiveSystemPrompt()
  const series = samplesOf(readExposition(cache.metrics()))
  const queries = text.split('\n').filter((line) => !line.startsWith('#'))
  for (const query of queries) {
    const selectors = selectorsIn(query)
    t.true(selectors.length > 0, query)
    for (const selector of selectors)
      t.true(
        series.some((one) => selects(selector, one)),
        query,
      )
  }
}

/** A service that has the documents of one hub. */
function theDocuments() {
  return `
    import { once } from 'node:events'
    import { createServer } from 'node:http'
    const server = createServer(({ url }, response) => {
      const hub = url.slice(1)
      response.statusCode = hub === 'grove' ? 200 : 404
      response.end(JSON.stringify([{ hub }]))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const DOCUMENTS = 'http://127.0.0.1:' + server.address().port`
}

function theScrapes() {
  return `
    const { fetchActiveSystemPrompt } = await import('grove-shared-cache')
    await fetchActiveSystemPrompt()
    const server = app.listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    const scrape = async (headers) => {
      const page = await fetch('http://127.0.0.1:' + server.address().port + '/metrics', { headers })
      return { status: page.status, type: page.headers.get('content-type'), text: await page.text() }
    }
    const pages = []
    for (const authorization of [undefined, 'Bearer ', 'Bearer wrong', 'Bearer ' + token])
      pages.push(await scrape(authorization && { authorization }))
    console.log(JSON.stringify(pages))
    server.close()
    server.closeAllConnections()`
}

function wantsTheToken(t, pages) {
  const scraped = pages.pop()
  for (const { status, text } of pages) t.deepEqual([status, text], [401, 'Unauthorized'])
  t.is(scraped.status, 200)
  t.regex(scraped.type, /^text\/plain;/)
  t.regex(scraped.type, /version=0\.0\.4/)
  t.regex(scraped.type, /charset=utf-8/)
  t.is(valueOf(readExposition(scraped.text), 'grove_cache_reads_total'), 1)
}

function theRoutesOfUse() {
  return `
    function startChat(system) {
      return { system }
    }
    const server = app.listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    const ask = async (method, path) =>
      (await fetch('http://127.0.0.1:' + server.address().port + path, { method })).json()
    const chat = await ask('POST', '/api/chat/init')
    const receipt = await ask('POST', '/api/cache/invalidate')
    console.log(JSON.stringify({ chat, receipt, debug: await ask('GET', '/api/debug/system-prompt') }))
    server.close()
    server.closeAllConnections()`
}

function servesThePrompt(t, { chat, receipt, debug }) {
  t.deepEqual(chat, { system: PROMPT })
  t.true(receipt.shared)
  t.is(debug.fullContent, PROMPT)
}
