// An instance with many entries, read at a steady rate; or one that invalidates some. Started by `startProcess`.

import { setTimeout as wait } from 'node:timers/promises'
import { SharedCache } from 'grove-shared-cache'

import { optionsOf } from '../../dev/cache-options.mjs'
import { serveParent } from '../../dev/process.mjs'
import { randomOf } from '../../dev/storm/random.mjs'
import { pushConnected } from '../push-connected.mjs'

const FILL_AT_ONCE = 100
/** Room for all of them: what is measured is not the loading. */
const MAX_ENTRIES = 50_000

let cache
let resource
let count

const idOf = (number) => `entry-${number}`

serveParent({
  /** Reads each entry once. */
  async open({ environment, keyPrefix, leaseMs, entries }) {
    const own = { maxStalenessMs: leaseMs, maxEntries: MAX_ENTRIES, redisTimeoutMs: 5000 }
    cache = new SharedCache(optionsOf({ environment, keyPrefix }, own))
    resource = cache.resource({
      name: 'entry',
      ttlSeconds: 3600,
      load: async (id) => ({ id, title: `The title of ${id}`, weights: [1, 2, 3] }),
    })
    count = entries
    for (let first = 0; first < entries; first += FILL_AT_ONCE) {
      const some = Array.from({ length: Math.min(FILL_AT_ONCE, entries - first) }, (_, offset) =>
        idOf(first + offset),
      )
      await resource.getMany(some)
    }
    if (entries > 0) await pushConnected(cache)
  },

  /** Reads at random, all that are due at once, without waiting for those before. */
  async read({ perSecond, leases, leaseMs, everyMs, seed }) {
    const random = randomOf(seed)
    const commands = [cache.stats().storeCommands]
    const beganMs = performance.now()
    const underWay = new Set()
    let reads = 0
    let failed = 0
    for (;;) {
      const elapsedMs = performance.now() - beganMs
      while (commands.length <= Math.floor(elapsedMs / leaseMs))
        commands.push(cache.stats().storeCommands)
      if (elapsedMs >= leases * leaseMs) break
      for (const due = (elapsedMs * perSecond) / 1000; reads < due; reads += 1) {
        const id = idOf(Math.floor(random() * count))
        const read = resource
          .get(id)
          .then((value) => (failed += Number(value?.id !== id)))
          .catch(() => (failed += 1))
          .finally(() => underWay.delete(read))
        underWay.add(read)
      }
      await wait(everyMs - ((performance.now() - beganMs) % everyMs))
    }
    await Promise.all(underWay)
    if (failed > 0) throw new Error(`${failed} of ${reads} reads gave something else`)
    const each = commands.slice(1).map((now, lease) => now - commands[lease])
    return {
      reads,
      perLease: (commands.at(-1) - commands[0]) / leases,
      most: Math.max(...each),
    }
  },

  /** Invalidates one entry after the other. */
  async change({ entries, times, everyMs }) {
    for (let time = 0; time < times; time += 1) {
      await wait(everyMs)
      await resource.invalidate(idOf((time * 37) % entries))
    }
  },
})
