// A process whose near cache is filled with more than fits. Started by `startProcess`.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SharedCache } from 'grove-shared-cache'

import { serveParent } from '../../dev/process.mjs'
import { randomOf } from '../../dev/storm/random.mjs'
import { until } from '../../dev/until.mjs'

const BYTES = { least: 100, most: 50_000 }
const AT_ONCE = 50
/** Of what is left in memory, so that all kinds of values are there. */
const KINDS = [
  (bytes) => 'x'.repeat(bytes),
  (bytes) => Buffer.alloc(bytes, 'y'),
  // As JSON, exactly so long.
  (bytes) => ({ text: 'z'.repeat(bytes - '{"text":""}'.length) }),
]

/** As many of each order of magnitude. */
function sizeOf(random) {
  const { least, most } = BYTES
  return Math.round(least * (most / least) ** random())
}

function residentBytes() {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage.rss()
}

serveParent({
  /**
   * Fills half of `maxBytes`, then `timesOver` times as much.
   *
   * @returns {Promise<object>} `perValueByte`: what was counted of half, for each byte of its values; `bytes` in the end, and
   *   `mostBytes` at any time; `entries` read; `residentBytes` more than before
   */
  async fill({ maxBytes, timesOver, seed }) {
    const random = randomOf(seed)
    const sizes = new Map()
    const cache = new SharedCache({
      upstashUrl: '',
      supabaseUrl: '',
      maxBytes,
      maxEntries: 1_000_000,
      maxStalenessMs: 3_600_000,
      logLevel: 'silent',
    })
    const resource = cache.resource({
      name: 'mixed',
      ttlSeconds: 31_536_000,
      load: async (id) => KINDS[id % KINDS.length](sizes.get(id)),
    })
    const bytes = () => cache.stats().near.bytes
    let [read, valueBytes, mostBytes] = [0, 0, 0]
    const fillUntil = async (wantedBytes) => {
      while (valueBytes < wantedBytes) {
        const ids = []
        for (; ids.length < AT_ONCE && valueBytes < wantedBytes; read += 1) {
          const size = sizeOf(random)
          sizes.set(String(read), size)
          ids.push(String(read))
          valueBytes += size
        }
        await resource.getMany(ids)
        for (const id of ids) sizes.delete(id)
        mostBytes = Math.max(mostBytes, bytes())
      }
    }
    const before = residentBytes()
    await fillUntil(maxBytes / 2)
    const perValueByte = bytes() / valueBytes
    await fillUntil(maxBytes * timesOver)
    // What is evicted may be so a moment after what took its place came.
    await until(() => bytes() <= maxBytes, 'a near cache within its bytes').catch(() => {})
    return {
      maxBytes,
      entries: read,
      perValueByte,
      mostBytes,
      bytes: bytes(),
      residentBytes: residentBytes() - before,
    }
  },
})
