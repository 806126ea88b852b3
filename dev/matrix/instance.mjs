// A process of the fault matrix: two caches that live as long as it does, fresh ones for each fault, and every call that
// they have. Started by `startProcess`; each method gives what was called since the last one, and what was said.

import defaultCache from 'grove-shared-cache'
import { promptCache } from '../prompt-cache.mjs'
import { randomUUID } from 'node:crypto'

import { serveParent } from '../process.mjs'
import { until } from '../until.mjs'
import { timed } from './calls.mjs'
import { Said } from './said.mjs'

const BURST = 20
/** A hit from memory lets everything else wait if nothing comes between. */
const REST_MS = 5
/** From one invalidation to the next. */
const TURN_MS = 100

const said = new Said()
let limits
let optionsOf
let fallbackPrompt
let valueKey
/** The two that live long: one serves under leases, as usual; each read of the other asks. */
let hot
/** Those of one fault: the store has the prompt for the first, and nothing for the second. */
let cold = {}
let records = []
let truth
let phase

const INVALIDATE = 'invalidateSystemPrompt'
const READS = ['fetchActiveSystemPromptConfig', 'fetchActiveSystemPrompt', 'debugSystemPrompt']

/** Calls a cache by these names, all at once. */
const call = (name, ...calls) =>
  Promise.all(calls.map((each) => record(name, each, boundsOf(each))))
const each = (caches, use) => Promise.all(Object.keys(caches).map(use))
const rest = () => new Promise((resolve) => setTimeout(resolve, REST_MS))

async function record(name, method, bounds) {
  const cache = hot[name] ?? cold[name]
  const { value, ...ended } = await timed(bounds, () => CALLS[method]?.() ?? cache[method]())
  const made = { phase, cache: name, call: method, ...ended, ...meaningOf(method, value, ended) }
  records.push(made)
  return made
}

/** Values are the default instance's. */
const CALLS = {
  get: () => defaultCache.cache.get(valueKey),
  set: () => defaultCache.cache.set(valueKey, { kept: true }, 60),
  del: () => defaultCache.cache.del(`${valueKey}:none`),
}

function boundsOf(method) {
  const { redisTimeoutMs, sourceTimeoutMs } = limits
  const readMs = redisTimeoutMs + sourceTimeoutMs
  if (method in CALLS) return { resolvedMs: redisTimeoutMs, rejectedMs: redisTimeoutMs }
  // One that comes right after another waits for its turn; one that went through has also loaded the new prompt, and told the
  // others.
  if (method === INVALIDATE)
    return { resolvedMs: readMs + TURN_MS, rejectedMs: redisTimeoutMs + TURN_MS }
  return { resolvedMs: readMs, rejectedMs: readMs }
}

/** What of an answer matters, without the texts themselves. */
function meaningOf(method, value, { outcome }) {
  if (outcome === 'rejected') {
    said.thing(value)
    said.texts.push(String(value.stack), String(value.message), JSON.stringify(value))
    return { code: value.code, word: value.cause?.code }
  }
  if (outcome === 'hung' || !READS.includes(method)) return { shared: value?.shared }
  if (typeof value === 'string') return { content: contentOf(value) }
  const { tier, source, generation } = value
  if (method !== READS[2]) return { tier, source, generation, content: contentOf(value.content) }
  const { contentPreview: _preview, fullContent, ...rest } = value
  said.thing(rest)
  const { error, reachable, invalidationPending } = rest.redis
  const content = contentOf(fullContent)
  return { tier, source, content, word: error, reachable, invalidationPending }
}

function contentOf(text) {
  if (text === truth) return 'truth'
  return text === fallbackPrompt ? 'stand-in' : 'something else'
}

function done(more = {}) {
  for (const cache of [defaultCache, ...Object.values({ ...hot, ...cold })]) {
    said.thing(cache)
    said.thing(cache.stats())
    said.texts.push(String(cache), JSON.stringify(cache))
  }
  const result = { records, said: said.take(), ...more }
  records = []
  return result
}

async function isRight(name, tiers) {
  const read = await record(name, READS[0], boundsOf(READS[0]))
  return read.content === 'truth' && tiers.includes(read.tier) && read
}

serveParent({
  open({ options, authority, maxStalenessMs, ...settings }) {
    process.env.NODE_EXTRA_CA_CERTS = authority
    valueKey = settings.valueKey
    limits = options
    fallbackPrompt = options.fallbackPrompt
    optionsOf = (own) => ({ ...options, logLevel: 'debug', ...own })
    const leased = maxStalenessMs === undefined ? {} : { maxStalenessMs }
    defaultCache.configure(optionsOf({ ...leased, onLog: (line) => said.thing(line) }))
    // This one tells the console.
    hot = {
      leased: defaultCache,
      asking: promptCache(optionsOf({ maxStalenessMs: 0 })),
    }
  },

  /** Until both have the prompt from the store, and owe it nothing. Other instances' faults may have seen other prompts. */
  async well(options) {
    ;({ truth } = options)
    phase = 'well'
    // A fault that others met may have left a dead line behind.
    const invalidated = () =>
      hot.leased.invalidateSystemPrompt().then(
        () => true,
        () => false,
      )
    await until(invalidated, 'an invalidation')
    await each(hot, (name) =>
      until(async () => {
        const right = await isRight(name, ['redis', 'memory'])
        if (!right || right.generation === null) return false
        return !(await hot[name].debugSystemPrompt()).redis.invalidationPending
      }, `a hit of the ${name} cache`),
    )
    return done()
  },

  /** Something has just broken: fresh caches meet it, and the two others with one read after another; then many at once. */
  async strike(options) {
    ;({ truth } = options)
    cold = Object.fromEntries(
      [
        ['cold', {}],
        ['cold, store empty', { keyPrefix: `matrix:${randomUUID()}` }],
      ].map(([name, own]) => {
        const options = optionsOf({ maxStalenessMs: 0, push: false, ...own })
        return [name, promptCache({ ...options, onLog: (line) => said.thing(line) })]
      }),
    )
    phase = 'struck'
    await Promise.all([
      each(cold, async (name) => {
        await call(name, ...READS)
        await call(name, READS[0])
      }),
      each(hot, async (name) => {
        await call(name, READS[0])
        await call(name, READS[1])
      }),
      call('leased', ...Object.keys(CALLS)),
    ])
    await each(hot, (name) => call(name, ...Array(BURST).fill(READS[0]), ...READS))
    return done()
  },

  /** What the store had is gone, too. Reads until one says that there was nothing. */
  async drained({ tier }) {
    phase = 'drained'
    const drained = async (name) => {
      const { tier: served } = await record(name, READS[0], boundsOf(READS[0]))
      await rest()
      return served === tier
    }
    await each(hot, (name) => until(() => drained(name), `a ${tier} prompt of the ${name} cache`))
    return done()
  },

  async invalidate() {
    phase = 'invalidating'
    await each(hot, (name) => call(name, INVALIDATE, ...READS))
    phase = 'invalidated'
    await each(hot, async (name) => {
      await call(name, READS[0])
      await call(name, READS[1], READS[2])
    })
    return done()
  },

  /** It was mended just now: how long it takes until every cache gives the right prompt again. */
  async recover() {
    phase = 'recovering'
    const beganAt = performance.now()
    const recovered = {}
    await each({ ...hot, ...cold }, async (name) => {
      const tiers = name === 'leased' ? ['redis', 'memory'] : ['redis']
      await until(() => isRight(name, tiers), `the recovery of the ${name} cache`)
      recovered[name] = performance.now() - beganAt
    })
    const result = done({ recovered })
    for (const cache of Object.values(cold)) await cache.close()
    cold = {}
    return result
  },

  /** The admin has changed the prompt: how long until both caches have that. */
  async edited(options) {
    ;({ truth } = options)
    phase = 'edited'
    const beganAt = performance.now()
    const edited = {}
    await until(async () => {
      const { outcome, shared } = await record('leased', INVALIDATE, boundsOf(INVALIDATE))
      return outcome === 'resolved' && shared
    }, 'an invalidation')
    await each(hot, async (name) => {
      await until(() => isRight(name, ['memory', 'redis', 'source']), `the edit in ${name}`)
      edited[name] = performance.now() - beganAt
    })
    return done({ edited })
  },
})
