// One fleet of processes: an admin's instance and some that read. Trial by trial, some of these are frozen or killed, the prompt is
// edited, and the admin waits for the receipt of all instances.

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

import { startProcess } from '../process.mjs'
import { freeze } from '../storm/freezer.mjs'
import { recordsIn } from '../storm/journal.mjs'

const INSTANCE = new URL('../storm/instance.mjs', import.meta.url)
export const LEASE_MS = 1000
const SETTINGS = { program: 'ours', push: true, readers: 1, rests: 5, proves: 1 }

/**
 * @param {object} options
 * @param {object} options.stack the stack's process
 * @param {Record<string, string>} options.environment
 * @param {string} options.directory for the journals of reads
 * @param {number} options.size instances besides the admin's
 * @param {'frozen' | 'killed'} options.how
 * @param {() => number} options.random from 0 to 1
 */
export async function startFleet({ stack, environment, directory, size, how, random }) {
  const keyPrefix = `receipts:${randomUUID()}`
  const [edits, invalidations, trials, ended] = [[], [], [], []]
  const admin = await start('the admin')
  const others = await Promise.all(Array.from({ length: size }, (_, index) => start(index)))

  async function start(name) {
    const path = join(directory, `${randomUUID()}.reads`)
    const instance = startProcess(INSTANCE, { name: `instance ${name}` })
    await instance.ask('start', { ...SETTINGS, environment, keyPrefix, path })
    return { instance, path, pauses: [] }
  }

  /** As long as the list of a new fleet may not be whole, each receipt takes a lease. */
  async function settled() {
    const quick = async () => {
      edits.push(await stack.ask('edit'))
      const { calledMs, resolvedMs } = await admin.instance.ask('invalidate')
      return resolvedMs - calledMs < LEASE_MS / 2
    }
    while (!(await quick()));
  }

  async function trial() {
    const victims = Math.floor(random() * (size + 1))
    const chosen = Array.from(others.keys())
      .toSorted(() => random() - 0.5)
      .slice(0, victims)
    const thaws = chosen.map((index) => {
      const { pid } = others[index].instance
      if (how === 'frozen') return freeze(pid)
      process.kill(pid, 'SIGKILL')
      return null
    })
    const edit = await stack.ask('edit')
    const { instances, ...made } = await admin.instance.ask('invalidate')
    edits.push(edit)
    invalidations.push({ instance: 0, version: edit.version, ...made })
    const confirmed = { ack: 0, 'lease-expired': 0, gone: 0 }
    for (const { by } of instances ?? []) confirmed[by] += 1
    trials.push({
      how,
      victims,
      receipt: made.receipt,
      ms: made.resolvedMs === null ? null : made.resolvedMs - made.calledMs,
      confirmed,
    })
    for (const [position, index] of chosen.entries()) {
      if (how === 'frozen') {
        const { over, ...span } = thaws[position]()
        others[index].pauses.push(span)
        await over
      } else {
        await others[index].instance.stop()
        others[index] = await start(index)
      }
    }
  }

  await settled()
  return {
    trial,
    trials,
    /** Ends it. @returns {Promise<import('../storm/history.mjs').History>} */
    async stop({ first, allEdits, limits }) {
      for (const { instance, path, pauses } of [admin, ...others]) {
        const { pending } = await instance.ask('stop')
        ended.push({ records: recordsIn(path), pending, pauses })
      }
      await Promise.all([admin, ...others].map(({ instance }) => instance.stop()))
      const last = allEdits.at(-1).version
      const [outages, sourceOutages] = [[], []]
      const history = { first, last, edits: allEdits, invalidations, instances: ended }
      return { ...history, outages, sourceOutages, limits }
    },
    edits,
    kill: () => [admin, ...others].map(({ instance }) => instance.stop()),
  }
}
