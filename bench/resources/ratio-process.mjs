// A process that reads one key after the other through this package, without a store. Started by `startProcess`.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { SharedCache } from 'grove-shared-cache'

import { serveParent } from '../../dev/process.mjs'
import { TRACES } from './traces.mjs'

const READS_IN_A_ROW = 1000

serveParent({
  /** @returns {Promise<{ loads: number }>} how many reads were no hits */
  async read({ trace, entries, ...options }) {
    let loads = 0
    const cache = new SharedCache({
      upstashUrl: '',
      supabaseUrl: '',
      logLevel: 'silent',
      // So that nothing but an eviction makes an entry go.
      maxEntries: entries,
      maxBytes: 1 << 30,
      maxStalenessMs: 3_600_000,
    })
    const resource = cache.resource({
      name: 'key',
      ttlSeconds: 31_536_000,
      load: async (id) => {
        loads += 1
        return `The value of ${id}`
      },
    })
    let read = 0
    for (const key of TRACES[trace].keys(options)) {
      const got = await resource.get(key)
      if (got !== `The value of ${key}`) throw new Error(`key ${key} gave ${String(got)}`)
      read += 1
      if (read % READS_IN_A_ROW === 0) await nextTurn()
    }
    await cache.close()
    return { loads }
  },
})
