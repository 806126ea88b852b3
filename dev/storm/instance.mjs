// One instance of a storm: several readers who never stop, and an admin's route. Started by `startProcess`.

import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'

import { serveParent } from '../process.mjs'
import { nowMs } from './clock.mjs'
import { openDocument } from './document.mjs'
import { Journal, packed } from './journal.mjs'
import { openOurs } from './ours.mjs'
import { FALLBACK, PromptReader } from './prompt.mjs'

/** Reads of one reader before it lets the machine's other processes run. */
const READS_IN_A_ROW = 6
const TELL_EVERY_MS = 250
const LAST_READS_WITHIN_MS = 10_000

const prompts = new PromptReader()
/** When each reader's read under way began; null between reads. */
const underWay = []
let cache
let journal
let stopping = false
let reading = []
let invalidations = 0
let [restMs, provesEvery] = [1, 1]

async function readForEver(reader) {
  while (!stopping) {
    for (let count = 0; count < READS_IN_A_ROW && !stopping; count += 1) {
      const beganMs = nowMs()
      underWay[reader] = beganMs
      const answer = await cache.read().catch(() => null)
      // Taken before anything else is done with the answer, and written at once: the journal is in order of endings.
      journal.append(beganMs, nowMs(), meaningOf(answer, reader))
      underWay[reader] = null
      await nextTurn()
    }
    await wait(restMs)
  }
}

function meaningOf(answer, reader) {
  if (!answer) return packed({ version: 0, tier: 'failed', reader })
  const version = prompts.numberOf(answer.content)
  if (version !== null) return packed({ version, tier: answer.tier, reader })
  const standIn = answer.tier === 'fallback' && answer.content === FALLBACK
  return packed({ version: 0, tier: standIn ? 'fallback' : 'unknown', reader })
}

serveParent({
  /**
   * `rests`: milliseconds between some reads of a reader and the next; `proves`: every so manieth invalidation waits for the
   * receipt of all instances
   */
  async start({ program, path, readers, rests = 1, proves = 3, ...options }) {
    restMs = rests
    provesEvery = proves
    cache = program === 'document' ? openDocument(options) : openOurs(options)
    journal = new Journal(path)
    // Modules, connections and the store's copy are there before the clock starts.
    await cache.read()
    reading = Array.from({ length: readers }, (_, reader) => readForEver(reader))
    setInterval(() => process.send({ told: journal.reads }), TELL_EVERY_MS).unref()
  },

  async invalidate() {
    const calledMs = nowMs()
    invalidations += 1
    const proves = cache.invalidateEverywhere && invalidations % provesEvery === 0
    try {
      if (!proves) {
        await cache.invalidate()
        return { calledMs, resolvedMs: nowMs(), receipt: null }
      }
      const { provenAfterMs, instances } = await cache.invalidateEverywhere()
      const receipt = provenAfterMs === null ? 'unproven' : 'proven'
      return { calledMs, resolvedMs: nowMs(), receipt, instances }
    } catch (error) {
      return { calledMs, resolvedMs: null, receipt: null, error: error.code ?? error.message }
    }
  },

  /** @returns {Promise<{ reads: number, pending: number[] }>} `pending`: when reads began that have not ended */
  async stop() {
    stopping = true
    await Promise.race([
      Promise.all(reading),
      wait(LAST_READS_WITHIN_MS, undefined, { ref: false }),
    ])
    const pending = underWay.filter((beganMs) => beganMs !== null)
    journal.close()
    return { reads: journal.reads, pending }
  },
})
