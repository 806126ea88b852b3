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
let program
/** The resources; null where there are none. */
let entries = null
/** One of the prompt's reads, and one of the entries'. */
const journals = []
/** Of each reader `{ entry, beganMs }` of the read under way; null between reads. */
const underWay = []
let stopping = false
let reading = []
const invalidations = { prompt: 0, entries: 0 }
let [restMs, provesEvery] = [1, 1]

/**
 * @param {number} reader
 * @param {Journal} journal
 * @param {object} what is read
 * @param {() => number} what.next the number of the entry to read
 * @param {(entry: number) => Promise<unknown>} what.read
 * @param {(answer: unknown, entry: number) => number} what.meaningOf
 */
async function readForEver(reader, journal, { next, read, meaningOf }) {
  while (!stopping) {
    for (let count = 0; count < READS_IN_A_ROW && !stopping; count += 1) {
      const entry = next()
      const beganMs = nowMs()
      underWay[reader] = { entry, beganMs }
      const answer = await read(entry).catch((error) => error)
      // Taken before anything else is done with the answer, and written at once: the journal is in order of endings.
      journal.append(beganMs, nowMs(), meaningOf(answer, entry))
      underWay[reader] = null
      await nextTurn()
    }
    await wait(restMs)
  }
}

const prompt = {
  next: () => 0,
  read: () => program.read(),
  meaningOf(answer) {
    if (answer instanceof Error) return packed({ version: 0, tier: 'failed' })
    const version = prompts.numberOf(answer.content)
    if (version !== null) return packed({ version, tier: answer.tier })
    const standIn = answer.tier === 'fallback' && answer.content === FALLBACK
    return packed({ version: 0, tier: standIn ? 'fallback' : 'unknown' })
  },
}

/** Invalidates, and waits for the receipt of all instances each so manieth time. */
async function invalidate(what, commit, everywhere) {
  const calledMs = nowMs()
  invalidations[what] += 1
  const proves = everywhere && invalidations[what] % provesEvery === 0
  try {
    if (!proves) {
      await commit()
      return { calledMs, resolvedMs: nowMs(), receipt: null }
    }
    const { provenAfterMs, instances } = await everywhere()
    const receipt = provenAfterMs === null ? 'unproven' : 'proven'
    return { calledMs, resolvedMs: nowMs(), receipt, instances }
  } catch (error) {
    return { calledMs, resolvedMs: null, receipt: null, error: error.code ?? error.message }
  }
}

serveParent({
  /**
   * `rests`: milliseconds between some reads of a reader and the next; `proves`: every so manieth invalidation waits for the
   * receipt of all instances; `shared`: the resources that it holds too, as `startEntries` takes them
   */
  async start({ program: name, path, readers, rests = 1, proves = 3, shared = null, ...options }) {
    restMs = rests
    provesEvery = proves
    const own = { ...options, maxEntries: shared?.maxEntries }
    program = name === 'document' ? openDocument(own) : openOurs(own)
    const journal = new Journal(path)
    journals.push(journal)
    // Modules, connections and the store's copy are there before the clock starts.
    await program.read()
    for (let reader = 0; reader < readers; reader += 1)
      reading.push(readForEver(reader, journal, prompt))
    if (shared) {
      const { startEntries } = await import('./entries/readers.mjs')
      entries = await startEntries(program.cache, { ...shared, ...options })
      const own = new Journal(shared.path)
      journals.push(own)
      for (let reader = readers; reader < readers + shared.readers; reader += 1)
        reading.push(readForEver(reader, own, entries))
    }
    const reads = () => journals.reduce((sum, { reads }) => sum + reads, 0)
    setInterval(() => process.send({ told: reads() }), TELL_EVERY_MS).unref()
  },

  invalidate: () =>
    invalidate(
      'prompt',
      () => program.invalidate(),
      program.invalidateEverywhere && (() => program.invalidateEverywhere()),
    ),

  /** @param {import('./entries/changes.mjs').Change} change */
  invalidateEntries: (change) =>
    invalidate(
      'entries',
      () => entries.invalidate(change),
      () => entries.invalidate(change, { wait: 'all' }),
    ),

  /**
   * @returns {Promise<{ pending: number[], pendingEntries: object[] }>} when reads of the prompt began that have not ended, and
   *   `{ entry, beganMs }` of those of entries
   */
  async stop() {
    stopping = true
    await Promise.race([
      Promise.all(reading),
      wait(LAST_READS_WITHIN_MS, undefined, { ref: false }),
    ])
    const promptReaders = entries ? underWay.length - entries.readers : underWay.length
    const pending = underWay.slice(0, promptReaders).filter(Boolean)
    for (const journal of journals) journal.close()
    return {
      pending: pending.map(({ beganMs }) => beganMs),
      pendingEntries: underWay.slice(promptReaders).filter(Boolean),
    }
  },
})
