// The visible run: three instances, one edit, one invalidation through one of them, and when each serves the new prompt; then the same
// with a lens, of which Supabase tells one of them.

import { randomBytes } from 'node:crypto'

import { openBackends } from './backends.mjs'
import { fingerprintOf } from './fingerprint.mjs'
import { inWords, startInstances } from './instances.mjs'
import { editLens } from './lens-edits.mjs'
import { startPromptEditor } from './prompt-editor.mjs'
import { activatePrompt } from './prompt-edits.mjs'
import { measurePropagation } from './propagation.mjs'
import { columns, dim, heading, ms } from './terminal.mjs'

const BOUND_MS = 1000
const LENS = 'story'

/**
 * @param {object} options
 * @param {Record<string, string | undefined>} options.environment of the instances; names the user's own store or source
 * @param {boolean} options.embedded
 * @param {(stop: () => Promise<void>) => void} options.onStarted given the way to stop each part as soon as it is up
 * @returns {Promise<{ passed: boolean, backends: object, instances: Array, webhookSecret: string }>} whether every instance changed
 *   in time
 */
export async function runDemo({ environment, embedded, onStarted }) {
  heading('Starting')
  const backends = await openBackends({ environment, embedded })
  onStarted(backends.stop)
  const { store, source } = backends
  const webhookSecret = environment.SUPABASE_WEBHOOK_SECRET || randomBytes(24).toString('base64url')
  const given = { ...backends.environment, SUPABASE_WEBHOOK_SECRET: webhookSecret }
  if (source.local) {
    // The console's edit box; a Supabase of yours is only read.
    const editor = await startPromptEditor(source.sql)
    onStarted(editor.stop)
    given.DEMO_EDIT_URL = editor.url
  }
  const instances = await startInstances({ environment: given, onLine: printLine })
  for (const instance of instances) {
    let stopping = false
    onStarted(() => {
      stopping = true
      return instance.stop()
    })
    instance.ended.then((end) => {
      if (!stopping) console.log(`${instance.name} ended with ${inWords(end)}.`)
    })
  }
  columns([
    ['store', store.words, store.url],
    ['source', source.words, source.url],
    ...instances.map(({ name, pid, url }) => [name, `Express, process ${pid}`, url]),
  ])
  if (store.keyPrefix)
    console.log(`  Keys begin with ${store.keyPrefix}, so that your own are left alone.`)

  heading('Before')
  const chats = await showChats(instances)
  if (!source.local && chats.some(({ tier }) => tier === 'fallback')) {
    throw new Error(
      'This Supabase gave no prompt, so there is nothing to show: see the lines above. It needs a row in system_prompts ' +
        `with status 'active', and a key that may read it.`,
    )
  }

  const isNew = source.local ? await edit(source, instances) : leaveAlone()

  const through = instances[0]
  heading(`Invalidating through ${through.name} only`)
  const { receipt, invalidateMs, arrivals } = await measurePropagation({
    instances,
    through,
    isNew,
  })
  console.log(`  POST ${through.url}/api/cache/invalidate was answered in ${ms(invalidateMs)}`)
  showReceipt(receipt)

  heading('After: time from that answer to the first chat with the change')
  columns(
    arrivals.map(({ instance, chat, afterMs }) => [
      instance.name,
      arrival(afterMs),
      ...chatCells(chat),
    ]),
  )

  heading('Who answered so far (GET /api/debug/system-prompt)')
  await showCounters(instances)

  const promptPassed = inTime(arrivals)
  const lensArrivals = source.local ? await changeLens(source, instances, webhookSecret) : []
  const lensesPassed = inTime(lensArrivals)
  heading(verdict(arrivals, promptPassed, source.local ? 'the new prompt' : 'the new generation'))
  if (source.local) heading(verdict(lensArrivals, lensesPassed, 'the new lens'))
  return { passed: promptPassed && lensesPassed, backends, instances, webhookSecret }
}

const inTime = (arrivals) =>
  arrivals.every(({ afterMs }) => afterMs !== null && afterMs <= BOUND_MS)

/** Edits a lens, and tells one instance of it as Supabase would. */
async function changeLens({ sql }, instances, secret) {
  const ask = (instance) => instance.lens(LENS)
  for (const instance of instances) await ask(instance)
  const through = instances[1]
  const title = `Through a story, edited at ${new Date().toTimeString().slice(0, 8)}`
  const change = await editLens(sql, LENS, title)
  heading(`A lens is edited in Postgres, and its webhook goes to ${through.name} only`)
  const { receipt, invalidateMs, arrivals } = await measurePropagation({
    instances,
    through,
    invalidate: (instance) => instance.webhook(change, secret),
    ask,
    isNew: ({ lens }) => lens.title === title,
  })
  const { entries } = receipt.invalidated
  console.log(
    `  POST ${through.url}/hooks/supabase was answered in ${ms(invalidateMs)}: ${entries} entry dropped`,
  )
  heading(`After: time from that answer to the first GET /api/lens/${LENS} with the change`)
  columns(
    arrivals.map(({ instance, chat: { lens, tier, generation }, afterMs }) => [
      instance.name,
      arrival(afterMs),
      `"${lens.title}"`,
      `from ${tier}`,
      `generation ${generation ?? 'unknown'}`,
    ]),
  )
  return arrivals
}

/** Edits the prompt as the admin console does. @returns {(chat: object) => boolean} whether a chat got the new one */
async function edit({ sql }, instances) {
  const [before] = await sql(`select title, payload from system_prompts where status = 'active'`)
  const title = `Edited at ${new Date().toTimeString().slice(0, 8)}`
  const payload = {
    ...before.payload,
    identity: `You are a lighthouse keeper who knows every reef. (${title})`,
    closingBehavior: 'question',
  }
  heading('Editing in Postgres, not invalidated yet')
  await activatePrompt(sql, { title, payload })
  console.log(
    `  archived "${before.title}", activated "${title}"; the instances still serve what is cached:`,
  )
  await showChats(instances)
  const fingerprint = fingerprintOf(payload)
  return (chat) => chat.sha256 === fingerprint
}

/** Where the source is not ours to edit, a change is the generation that the invalidation opened. */
function leaveAlone() {
  heading('Not editing')
  console.log(
    '  This Supabase is yours: no row is changed. Watch the generation instead, which an invalidation renews.',
  )
  return (chat, receipt) => receipt.generation !== null && chat.generation === receipt.generation
}

function showReceipt({ generation, shared, instances, provenAfterMs }) {
  console.log(
    `  generation ${generation ?? 'unknown'}, ${shared ? 'shared' : 'for that instance alone'}`,
  )
  if (instances.length > 0)
    columns(
      instances.map(({ id, confirmedAfterMs, by }) => [
        id,
        confirmedAfterMs === null ? 'not confirmed' : `after ${ms(confirmedAfterMs)}`,
        by,
      ]),
    )
  if (provenAfterMs === null) return
  console.log(`  proven everywhere after ${ms(provenAfterMs)}`)
  if (instances.every(({ confirmedAfterMs }) => confirmedAfterMs < provenAfterMs))
    console.log(
      '  (the list of instances is seconds old: until it is known to be whole, a lease is waited for)',
    )
}

async function showChats(instances) {
  const chats = await Promise.all(instances.map((instance) => instance.chat()))
  columns(
    instances.map(({ name }, index) => [
      name,
      ms(chats[index].systemPromptMs),
      ...chatCells(chats[index]),
    ]),
  )
  return chats
}

function chatCells({ tier, title, sha256, generation, source }) {
  const prompt = title === null ? `the ${source} prompt` : `"${title}"`
  return [prompt, `sha256 ${sha256}`, `from ${tier}`, `generation ${generation ?? 'unknown'}`]
}

const arrival = (afterMs) => (afterMs === null ? 'never' : ms(afterMs))

async function showCounters(instances) {
  const states = await Promise.all(instances.map((instance) => instance.debug()))
  columns([
    ['', 'reads', 'from memory', 'from Redis', 'source reads', 'Redis'],
    ...instances.map(({ name }, index) => {
      const { counters, redis } = states[index]
      const { reads, memoryHits, hits, sourceReads } = counters
      const state = redis.reachable ? `answers in ${ms(redis.latencyMs)}` : redis.error
      return [name, reads, memoryHits, hits, sourceReads, state]
    }),
  ])
}

function verdict(arrivals, passed, change) {
  if (!passed) return `Failed: not every instance served ${change} within ${BOUND_MS} ms.`
  const slowest = Math.max(...arrivals.map(({ afterMs }) => afterMs))
  return `All ${arrivals.length} instances served ${change} within ${BOUND_MS} ms; the slowest after ${ms(slowest)}.`
}

function printLine(name, line) {
  console.log(dim(`  [${name}] ${line}`))
}
