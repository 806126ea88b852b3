// A server's process that reads the prompt from the store through one side or another. Started by `startProcess`.

import { setTimeout as wait } from 'node:timers/promises'

import { serveParent } from '../dev/process.mjs'
import { percentile } from '../dev/statistics.mjs'
import { readFlatOut } from './growth/flat-out.mjs'
import { requirePrompt } from './prompt.mjs'
import { openSide } from './sides.mjs'

const reads = new Map()

serveParent({
  async open({ sides, ...place }) {
    for (const side of sides) {
      const read = await openSide(side, place)
      requirePrompt(side, await read())
      reads.set(side, read)
    }
  },

  /** Reads one after the other; times are in microseconds, `cpuUs` that of all threads. */
  async readInSequence({ side, count }) {
    const read = reads.get(side)
    const tookUs = new Float64Array(count)
    let got
    const cpu = process.cpuUsage()
    const loop = performance.eventLoopUtilization()
    for (let done = 0; done < count; done += 1) {
      const beganMs = performance.now()
      got = await read()
      tookUs[done] = (performance.now() - beganMs) * 1000
    }
    const { active } = performance.eventLoopUtilization(loop)
    const { user, system } = process.cpuUsage(cpu)
    requirePrompt(side, got)
    return {
      p50Us: percentile([...tookUs], 0.5),
      p99Us: percentile([...tookUs], 0.99),
      cpuUs: (user + system) / count,
      loopUs: (active * 1000) / count,
    }
  },

  /** Reads at a steady rate: a read that took too long is made up for. */
  async readAtRate({ side, count, perSecond }) {
    const read = reads.get(side)
    const beganMs = performance.now()
    for (let done = 0; done < count; done += 1) {
      const dueMs = beganMs + (done * 1000) / perSecond - performance.now()
      if (dueMs > 0) await wait(dueMs)
      await read()
    }
  },

  readFlatOut: ({ side, ms }) => readFlatOut(reads.get(side), ms),
})
