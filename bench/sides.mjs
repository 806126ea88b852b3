// Everything that reads the prompt from the store, by name: this package, and what servers use instead.

import { Redis } from '@upstash/redis'
import * as grove from 'grove-shared-cache'
import { promptCache } from '../dev/prompt-cache.mjs'

import { optionsOf } from '../dev/cache-options.mjs'
import { libCache } from '../dev/lib-cache.mjs'
import { pushConnected } from './push-connected.mjs'

/**
 * @typedef {object} Place
 * @property {Record<string, string>} environment
 * @property {string} keyPrefix of this package
 * @property {string} key where the prompt lies as a plain string
 */

/** @type {Record<string, (place: Place) => (() => Promise<string>) | Promise<() => Promise<string>>>} */
const SIDES = {
  /** At its defaults: from memory, under a lease. */
  ours: (place) => openOurs(place),

  /** Every read asks the store, which confirms by a few bytes that the prompt in memory is the one it has. */
  oursAsking: (place) => openOurs(place, { maxStalenessMs: 0 }),

  /** The whole value from the store at each read, as the clients beside it. */
  oursGet(place) {
    grove.configure(optionsOf(place))
    return () => grove.cache.get(place.key)
  },

  upstash({ environment, key }) {
    const redis = redisOf(environment)
    return () => redis.get(key)
  },

  /** Neither base64 nor a try at JSON: right for a string alone. */
  upstashRaw({ environment, key }) {
    const redis = redisOf(environment, { responseEncoding: false, automaticDeserialization: false })
    return () => redis.get(key)
  },

  libCache({ environment, key }) {
    const cache = libCache({
      url: environment.UPSTASH_REDIS_REST_URL,
      token: environment.UPSTASH_REDIS_REST_TOKEN,
    })
    return () => cache.get(key)
  },
}

async function openOurs(place, options) {
  const cache = promptCache(optionsOf(place, options))
  await cache.fetchActiveSystemPrompt()
  await pushConnected(cache)
  return () => cache.fetchActiveSystemPrompt()
}

function redisOf(environment, options) {
  return new Redis({
    url: environment.UPSTASH_REDIS_REST_URL,
    token: environment.UPSTASH_REDIS_REST_TOKEN,
    enableTelemetry: false,
    ...options,
  })
}

/** @param {string} side @param {Place} place */
export const openSide = (side, place) => SIDES[side](place)
