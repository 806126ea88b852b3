// One storm over one program: instances that read, admins who edit, outages that come and go. Gives its history.

import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { startProcess } from '../process.mjs'
import { startAdmins } from './admins.mjs'
import { nowMs } from './clock.mjs'
import { openEntryStorm } from './entries/storm.mjs'
import { freeze } from './freezer.mjs'
import { recordsIn } from './journal.mjs'
import { OUTAGES } from './outages.mjs'
import { scheduleOf } from './schedule.mjs'

const INSTANCE = new URL('instance.mjs', import.meta.url)
/** Of each instance; where it holds resources, all but one of them read those. */
export const READERS = 4
/** Redis, source, and what a loaded machine may add. */
export const LIMITS = { boundMs: 1000, hungMs: 500 + 2000 + 250 }
/** In the end nothing breaks any more until every invalidation is due, and a reader that was held has been let go. */
const CALM_END_MS = 2500
/** How much longer a storm may take until its reads are enough. */
const LONGEST = 5

/**
 * @param {object} options
 * @param {object} options.stack the stack's process
 * @param {Record<string, string>} options.environment
 * @param {import('./columns.mjs').Column} options.column
 * @param {number} options.seconds
 * @param {number} options.reads it goes on until there are so many, up to five times its seconds
 * @param {number} options.instances
 * @param {number} options.seed
 * @param {boolean} options.faults
 * @returns {Promise<{ history: import('./history.mjs').History, beganMs: number, seconds: number, phases: object[],
 *   storeCommands: number, sourceReads: number, entries: EntryStorm | null }>}
 *
 * @typedef {object} EntryStorm where there are entries: `left` and `rest` as `judgeEntries` takes them
 */
export async function runStorm(options) {
  const directory = mkdtempSync(join(tmpdir(), 'grove-storm-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  const started = []
  try {
    return await storm(options, directory, started)
  } finally {
    await Promise.all(started.map((instance) => instance.stop()))
    process.off('exit', remove)
    remove()
  }
}

async function storm({ stack, environment, column, ...options }, directory, instances) {
  const { seconds, reads, seed, faults } = options
  const baseline = await stack.ask('edit')
  const pathOf = (index, what = 'reads') => join(directory, `${index}.${what}`)
  const readsOf = []
  const keyPrefix = `storm:${randomUUID()}`
  for (let index = 0; index < options.instances; index += 1) {
    const onTold = (count) => (readsOf[index] = count)
    instances.push(startProcess(INSTANCE, { name: `instance ${index + 1}`, onTold }))
  }
  const { program, push } = column
  const entries = column.resources
    ? await openEntryStorm({
        stack,
        instances,
        resources: column.resources,
        seed,
        readers: READERS - 1,
        pathOf: (index) => pathOf(index, 'entries'),
      })
    : null
  const settings = { program, push, environment, keyPrefix, readers: entries ? 1 : READERS }
  await Promise.all(
    instances.map((instance, index) => {
      const shared = entries?.sharedOf(index)
      return instance.ask('start', { ...settings, path: pathOf(index), shared })
    }),
  )

  const { phases, bursts } = scheduleOf({ ...options, seed, seconds: seconds * LONGEST, faults })
  const admins = startAdmins({
    edit: () => stack.ask('edit'),
    invalidate: async (instance, { version }) => ({
      version,
      ...(await instances[instance].ask('invalidate')),
    }),
  })
  const before = await stack.ask('counters')
  const beganMs = nowMs()
  const enough = (atMs) => atMs >= seconds * 1000 && readsOf.reduce((a, b) => a + b, 0) >= reads
  const at = (instantMs) => wait(Math.max(0, beganMs + instantMs - nowMs()))
  const pauses = instances.map(() => [])
  const outages = []

  const editing = (async () => {
    for (const { atMs, admins: who } of bursts) {
      await at(atMs)
      if (enough(atMs)) return
      admins.burst(who)
      entries?.burst(who)
    }
  })()
  const breaking = (async () => {
    for (const { outage, fromMs, toMs, frozen } of phases) {
      await at(fromMs)
      if (enough(toMs)) return
      const thaw = frozen === null ? null : freeze(instances[frozen].pid)
      const began = await stack.ask('beginOutage', outage)
      await at(toMs)
      const ended = await stack.ask('endOutage')
      if (thaw) {
        const { fromMs, toMs } = thaw()
        pauses[frozen].push({ fromMs, toMs })
      }
      outages.push({ outage, fromMs: began, toMs: ended })
    }
  })()
  await Promise.all([editing, breaking])
  await admins.done()
  await entries?.done()
  const endedMs = nowMs()
  const after = await stack.ask('counters')
  await wait(CALM_END_MS)
  const stopped = await Promise.all(instances.map((instance) => instance.ask('stop')))

  const edits = [baseline, ...admins.edits]
  const rest = {
    outages,
    sourceOutages: outages.filter(({ outage }) => OUTAGES[outage].source),
    limits: LIMITS,
  }
  return {
    beganMs,
    seconds: (endedMs - beganMs) / 1000,
    phases: outages.map((span) => ({ ...span, label: OUTAGES[span.outage].label })),
    storeCommands: after.storeCommands - before.storeCommands,
    sourceReads: after.sourceReads - before.sourceReads,
    entries: entries && {
      left: entries.left(stopped, pauses),
      rest,
      sourceReads: after.entryReads - before.entryReads,
    },
    history: {
      first: baseline.version,
      last: edits.at(-1).version,
      edits,
      invalidations: admins.invalidations,
      instances: stopped.map(({ pending }, index) => ({
        records: recordsIn(pathOf(index)),
        pending,
        pauses: pauses[index],
      })),
      ...rest,
    },
  }
}
