// The process in which the prompt, entries of resources and other maps hit in turn. Started by `startProcess`.

import { isDeepStrictEqual } from 'node:util'
import * as grove from 'grove-shared-cache'
import { LRUCache } from 'lru-cache'

import { optionsOf } from '../../dev/cache-options.mjs'
import { serveParent } from '../../dev/process.mjs'
import { measureInTurn } from '../hits/loops.mjs'
import { PROMPT, requirePrompt } from '../prompt.mjs'
import { pushConnected } from '../push-connected.mjs'

const TTL_MS = 300_000

/** As long as the prompt, and no two alike. */
const textOf = (id) => `${id} ${PROMPT.slice(id.length + 1)}`
const objectOf = (id) => ({ id, title: `The lens ${id}`, active: true, weights: [0.5, 0.25] })

/** @returns {Promise<Record<string, import('../hits/loops.mjs').Side>>} */
async function openSides({ environment, keyPrefix, entries }) {
  const cache = grove.configure(optionsOf({ environment, keyPrefix }))
  const { fetchActiveSystemPrompt } = grove
  const text = cache.resource({ name: 'text', load: async (id) => textOf(id) })
  const json = cache.resource({ name: 'json', load: async (id) => objectOf(id) })
  const ids = Array.from({ length: entries }, (_, number) => `hub-${number}`)
  await fetchActiveSystemPrompt()
  const texts = await text.getMany(ids)
  await json.getMany(ids)
  await pushConnected(cache)

  const pairs = ids.map((id, index) => [id, texts[index]])
  const lru = (options) => {
    const made = new LRUCache({ max: entries, ttl: TTL_MS, ...options })
    for (const [id, value] of pairs) made.set(id, value)
    return made
  }
  // The last call of a loop is that where `times` is 1.
  const last = ids[1 % entries]
  const require = (name, expected) => (got) => {
    if (!isDeepStrictEqual(got, expected)) throw new Error(`${name} did not give its value`)
  }
  const inTurn = (call, scope, expected = textOf(last)) => ({
    call: call.replace('ID', 'ids[times % ids.length]'),
    scope: { ids, ...scope },
    require: require(call, expected),
  })
  return {
    prompt: {
      call: 'fetchActiveSystemPrompt()',
      scope: { fetchActiveSystemPrompt },
      require: (got) => requirePrompt('the prompt', got),
    },
    text: inTurn('text.get(ID)', { text }),
    json: inTurn('json.get(ID)', { json }, objectOf(last)),
    one: { call: 'text.get(id)', scope: { text, id: last }, require: require('one', textOf(last)) },
    entry: {
      ...inTurn('text.getEntry(ID)', { text }),
      require: ({ value }) => require('entry', textOf(last))(value),
    },
    // What it reads of the clock it keeps until a timer fires; with 0 it looks at each read, as this package must.
    lru: inTurn('lru.get(ID)', { lru: lru() }),
    lruExact: inTurn('lru.get(ID)', { lru: lru({ ttlResolution: 0 }) }),
    map: inTurn('map.get(ID)', { map: new Map(pairs) }),
  }
}

serveParent({
  async measure({ rounds, ...place }) {
    return measureInTurn(await openSides(place), rounds)
  },
})
