// `NativeCache` of the addon, played in this process: it keeps what it is given, and its reads do no more than ask the loader.
// For tests of what the JavaScript part does by itself.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { addon } = require('../../lib/native.cjs')
const { definitionOf } = require('../../lib/definition.cjs')

export const RECEIPT = Object.freeze({ generation: 1, shared: true })

const KINDS = { s: 'text', j: 'json', b: 'bytes', n: 'nothing' }
const settled = async (value) => JSON.stringify({ value })

class FakeNativeCache {
  static made = []
  definitions = []
  /** `[resource, id, tags]` of each handle. */
  entries = []
  invalidations = []
  #loads = 0

  constructor(settings) {
    this.settings = JSON.parse(settings)
    FakeNativeCache.made.push(this)
  }

  systemPrompt() {
    return this.entries.push(['system-prompt']) - 1
  }

  resource(definition, load) {
    return this.definitions.push({ ...JSON.parse(definition), load }) - 1
  }

  enter(...entry) {
    return [this.entries.push(entry) - 1]
  }

  hitFunction() {
    return () => false
  }

  ask(handle) {
    const [resource, id] = this.entries[handle]
    return [++this.#loads, this.#read(this.definitions[resource], id)]
  }

  async #read({ load, loadTimeoutMs = 2000 }, id) {
    const text = await load(id, loadTimeoutMs)
    const [letter, rest] = [text[0], text.slice(1)]
    if (letter !== 'e') return [0, rest, JSON.stringify({ kind: KINDS[letter], tier: 'source' })]
    const { word, message } = JSON.parse(rest)
    const error = { code: 'LOAD_FAILED', message: 'the load failed', retryable: true }
    error.cause = { code: word, message }
    return [0, null, JSON.stringify({ tier: 'fallback', error })]
  }

  invalidate(targets, ...how) {
    this.invalidations.push([JSON.parse(targets), ...how])
    return settled(RECEIPT)
  }

  stats() {
    return '{"reads":0}'
  }

  metrics() {
    return 'metrics'
  }

  close() {
    return settled(null)
  }
}

addon.NativeCache = FakeNativeCache
export const { SharedCache } = require('../../lib/cache.cjs')

/** @returns {{ cache: SharedCache, addon: FakeNativeCache }} a cache, and what is below it */
export function fakeCache(options) {
  const cache = new SharedCache(options)
  // The addon's is made at the first use.
  cache.stats()
  return { cache, addon: FakeNativeCache.made.pop() }
}

/** What becomes of these options of a resource, with what the user gave: the definition knows that weakly. */
export function definitionFor(options) {
  const { definition, held } = definitionOf({ name: 'thing', load: () => null, ...options })
  return { ...definition, held }
}

/** A resource with these options, and what is below its cache. */
export function resourceFor(options) {
  const { cache, addon } = fakeCache()
  return { resource: cache.resource({ name: 'thing', load: () => null, ...options }), addon }
}
