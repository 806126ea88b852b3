// Everything that holds the prompt in memory: a call each, of the kind that a server awaits for every chat.

import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import * as grove from 'grove-shared-cache'
import { LRUCache } from 'lru-cache'

import { optionsOf } from '../../dev/cache-options.mjs'
import { pushConnected } from '../push-connected.mjs'

const TTL_MS = 300_000
const KEY = 'active'

/**
 * @typedef {object} HitSide
 * @property {string} call the source of a call that gives a promise
 * @property {Record<string, unknown>} scope what the call names
 * @property {(got: any) => string} [content] of what the call gives; that itself by default
 */

/**
 * Opens all of them; the prompt that they hold is the one string that this package gave.
 *
 * @param {{ environment: Record<string, string>, keyPrefix: string }} place
 * @returns {Promise<Record<string, HitSide>>}
 */
export async function openHitSides(place) {
  const { fetchActiveSystemPrompt, fetchActiveSystemPromptConfig } = grove
  grove.configure(optionsOf(place))
  const cache = new grove.SharedCache(optionsOf(place))
  const prompt = await fetchActiveSystemPrompt()
  await cache.systemPrompt.fetchActiveSystemPrompt()
  await pushConnected(grove)
  await pushConnected(cache)
  const load = async () => prompt

  return {
    local: { call: 'fetchFromVariable()', scope: { fetchFromVariable: localVariable(load) } },
    // Its default `ttlResolution` of a millisecond keeps the time that it read until a timer fires, and none fires among
    // awaits that are fulfilled already. With 0 it looks at the clock at each fetch, as the other sides do.
    lruCache: { call: `lru.fetch('${KEY}')`, scope: { lru: lruCache(load) } },
    lruCacheExact: {
      call: `lru.fetch('${KEY}')`,
      scope: { lru: lruCache(load, { ttlResolution: 0 }) },
    },
    bentocache: {
      call: 'bento.getOrSet(what)',
      scope: { bento: bentocache(), what: { key: KEY, factory: load } },
    },
    bentocacheGet: {
      call: 'bento.get(what)',
      scope: { bento: await filledBentocache(prompt), what: { key: KEY } },
    },
    // Objects that callers share, as here: without a copy of the value in JSON.
    bentocacheBest: {
      call: 'bento.get(what)',
      scope: { bento: await filledBentocache(prompt, { serialize: false }), what: { key: KEY } },
    },
    ours: { call: 'fetchActiveSystemPrompt()', scope: { fetchActiveSystemPrompt } },
    oursConfig: {
      call: 'fetchActiveSystemPromptConfig()',
      scope: { fetchActiveSystemPromptConfig },
      content: ({ content }) => content,
    },
    oursClass: { call: 'cache.systemPrompt.fetchActiveSystemPrompt()', scope: { cache } },
  }
}

/** What a server.js had before: a variable with a time. */
function localVariable(load) {
  let systemPromptCache = { content: null, fetchedAt: 0 }
  return async function fetchFromVariable() {
    if (systemPromptCache.content && Date.now() - systemPromptCache.fetchedAt < TTL_MS)
      return systemPromptCache.content
    const content = await load()
    systemPromptCache = { content, fetchedAt: Date.now() }
    return content
  }
}

const lruCache = (load, options) =>
  new LRUCache({ max: 10, ttl: TTL_MS, fetchMethod: load, ...options })

function bentocache(options) {
  const store = bentostore().useL1Layer(memoryDriver(options))
  return new BentoCache({ default: 'prompts', ttl: TTL_MS, stores: { prompts: store } })
}

/** One that holds the prompt, to be asked by `get`. */
async function filledBentocache(prompt, options) {
  const bento = bentocache(options)
  await bento.set({ key: KEY, value: prompt })
  return bento
}
