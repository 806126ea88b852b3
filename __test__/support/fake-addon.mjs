// The class of the addon below `SharedCache`, played: it keeps what it is given, and its reads do no more than ask the loader.
// For tests of what the JavaScript part does by itself.
import { createRequire } from 'node:module'

const { sharedCache } = createRequire(import.meta.url)('../../lib/shared-cache.cjs')

export const RECEIPT = Object.freeze({ generation: 1, shared: true })

class FakeSharedCache {
  static made = []
  definitions = []
  invalidations = []

  constructor(options) {
    this.options = options
    FakeSharedCache.made.push(this)
  }

  resource(definition) {
    this.definitions.push(definition)
    const text = (id) => definition.load(String(id), definition.loadTimeoutMs ?? 2000)
    return {
      get: (id) => text(id),
      getEntry: async (id) => Object.freeze({ value: await text(id), tier: 'source' }),
    }
  }

  invalidate(...call) {
    this.invalidations.push(call)
    return Promise.resolve(RECEIPT)
  }

  stats() {
    return { reads: 0 }
  }

  metrics() {
    return 'metrics'
  }

  close() {
    return Promise.resolve()
  }
}

export const SharedCache = sharedCache({ __sharedCache: (options) => new FakeSharedCache(options) })

/** @returns {{ cache: SharedCache, addon: FakeSharedCache }} a cache, and what is below it */
export function fakeCache(options) {
  const cache = new SharedCache(options)
  return { cache, addon: FakeSharedCache.made.pop() }
}

/** What the addon is given for these options of a resource. */
export function definitionFor(options) {
  const { cache, addon } = fakeCache()
  const resource = cache.resource({ name: 'thing', load: () => null, ...options })
  const [definition] = addon.definitions
  return { ...definition, resource, addon }
}
