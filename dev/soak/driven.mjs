// The process with the caches: does one step when it is asked, and says what it holds between steps. Started by `startProcess`.

import { openSync, readdirSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { serveParent } from '../process.mjs'
import { LOADS, soaked } from './loads.mjs'
import { promptCache } from '../prompt-cache.mjs'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const MIB = 2 ** 20
const QUIET_MS = 50
const QUIET_WITHIN_MS = 10_000

/** What `--leak` does after each step, to see that it is found. */
const LEAKS = {
  memory: () => kept.push(Buffer.alloc(4 * MIB, 1)),
  heap: () => kept.push(Array.from({ length: 100_000 }, (_, index) => ({ index }))),
  descriptors: () => Array.from({ length: 5 }, () => openSync('/dev/null')),
  async caches({ place }) {
    const caches = Array.from({ length: 5 }, () => promptCache(soaked(place, {})))
    await Promise.all(caches.map((cache) => cache.fetchActiveSystemPrompt()))
    kept.push(...caches)
  },
}
const kept = []

serveParent({
  async step({ phase, place, count, leak }) {
    await LOADS[phase](place, count)
    if (leak) await LEAKS[leak]({ place })
  },

  /** What is held once nothing is under way any more and what nobody holds is collected. */
  async sample() {
    const endMs = performance.now() + QUIET_WITHIN_MS
    let before
    let now = held()
    do {
      before = now
      for (let turn = 0; turn < 5; turn += 1) {
        collect()
        await nextTurn()
      }
      // Connections are closed, and threads that are idle end, a little later.
      await wait(QUIET_MS)
      now = held()
    } while (!sameOf(before, now) && performance.now() < endMs)
    const { rss, heapUsed } = process.memoryUsage()
    return { rssMiB: rss / MIB, heapMiB: heapUsed / MIB, ...now }
  },
})

const held = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  threads: readdirSync('/proc/self/task').length,
})

const sameOf = (one, other) =>
  one.descriptors === other.descriptors && one.threads === other.threads
