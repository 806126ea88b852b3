// One step of each phase: uses the cache so often, and leaves nothing behind. Throws where an answer is not the prompt.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { promptCache } from '../prompt-cache.mjs'

import { optionsOf } from '../cache-options.mjs'
import { until } from '../until.mjs'
import { CACHES_AT_ONCE, RECONNECTS_EACH } from './phases.mjs'

const PROMPT = '## Identity\nsoaked'
const WORKER = new URL('worker.mjs', import.meta.url)

const READERS = 16
const WORKERS_AT_ONCE = 8

/** Long enough for a loaded machine: a stand-in is a failure here. */
const PATIENT = { redisTimeoutMs: 10_000, sourceTimeoutMs: 20_000, logLevel: 'silent' }
export const soaked = (place, own) => optionsOf(place, { ...PATIENT, ...own })

export async function requirePrompt(cache) {
  const { content, tier } = await cache.fetchActiveSystemPromptConfig()
  if (content !== PROMPT || tier === 'stale') throw new Error(`a read gave ${tier}: ${content}`)
}

/** @type {Record<string, (place: { environment: Record<string, string>, keyPrefix: string }, count: number) => Promise<void>>} */
export const LOADS = {
  async reconnects(place, count) {
    const caches = Math.ceil(count / RECONNECTS_EACH)
    await eachOf(caches, CACHES_AT_ONCE, (number) =>
      withCache(place, {}, async (cache) => {
        const own = Math.min(RECONNECTS_EACH, count - number * RECONNECTS_EACH)
        // The first is no reconnect.
        for (let opened = 1; opened <= own + 1; opened += 1) {
          await requirePrompt(cache)
          await until(() => cache.stats().pushConnects >= opened, `stream ${opened}`)
        }
      }),
    )
  },

  async reads(place, count) {
    await withCache(place, { maxStalenessMs: 0, push: false }, async (cache) => {
      await eachOf(count, READERS, () => requirePrompt(cache))
      const { joined, memoryHits } = cache.stats()
      if (joined + memoryHits > 0) throw new Error(`${joined + memoryHits} reads did not ask`)
    })
  },

  async hits(place, count) {
    await withCache(place, { maxStalenessMs: 3_600_000 }, async (cache) => {
      await requirePrompt(cache)
      await until(() => cache.stats().pushConnects > 0, 'the stream')
      for (let done = 0; done < count; done += 1) await cache.fetchActiveSystemPrompt()
      await requirePrompt(cache)
    })
  },

  async invalidations(place, count) {
    await withCache(place, {}, (admin) =>
      withCache(place, { maxStalenessMs: 3_600_000 }, async (listener) => {
        await requirePrompt(listener)
        await until(() => listener.stats().pushConnects > 0, 'the stream')
        for (let done = 0; done < count; done += 1) {
          await admin.invalidateSystemPrompt()
          await Promise.all([requirePrompt(admin), requirePrompt(listener)])
        }
        await until(() => listener.stats().pushes === count, 'the announcements')
      }),
    )
  },

  async caches(place, count) {
    await eachOf(count, READERS, async (number) => {
      const own = { onLog() {}, legacySource: () => PROMPT }
      const cache = promptCache(soaked(place, own))
      await requirePrompt(cache)
      if (number % 2 === 0) await cache.close()
    })
  },

  async workers(place, count) {
    await eachOf(count, WORKERS_AT_ONCE, async (number) => {
      const endless = number % 3 === 0
      const worker = new Worker(WORKER, { workerData: { place, endless } })
      const exit = once(worker, 'exit')
      await once(worker, 'message')
      if (endless) await worker.terminate()
      const [status] = await exit
      if (status !== (endless ? 1 : 0)) throw new Error(`a worker ended with status ${status}`)
    })
  },
}

async function withCache(place, own, use) {
  const cache = promptCache(soaked(place, own))
  try {
    await use(cache)
  } finally {
    await cache.close()
  }
}

/** Does it for each number below `count`, so many of them side by side. */
async function eachOf(count, sides, use) {
  let next = 0
  const one = async () => {
    while (next < count) await use(next++)
  }
  await Promise.all(Array.from({ length: sides }, one))
}
