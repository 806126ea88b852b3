// Growth: what more instances, and more threads of one, give and cost.

import { startProcess } from '../../dev/process.mjs'
import { orderOf, sampling } from '../statistics.mjs'

const INSTANCE = new URL('../instance.mjs', import.meta.url)
const THREADS = new URL('threads.mjs', import.meta.url)
const SIDES = ['ours', 'upstash']
export const INSTANCES = { whole: [1, 2, 4, 8, 16], quick: [1, 2] }
export const WORKERS = { whole: [1, 2, 4], quick: [1, 2] }
const ROUNDS = { whole: 3, quick: 1 }
const FOR_MS = { whole: 1500, quick: 300 }

/** Samples of `ours 4` are those of four instances, of `workers 4` those of four threads. */
export async function measureGrowth(context) {
  const { samples, add } = sampling()
  await measureInstances(context, add)
  await measureWorkers(context, add)
  return samples
}

async function measureInstances({ stack, environment, key, pace }, add) {
  const instances = Array.from({ length: Math.max(...INSTANCES[pace]) }, (_, index) =>
    startProcess(INSTANCE, { name: `instance ${index + 1}` }),
  )
  try {
    const place = { environment, key, keyPrefix: 'bench:growth' }
    await Promise.all(instances.map((child) => child.ask('open', { sides: SIDES, ...place })))
    const runs = INSTANCES[pace].flatMap((size) => SIDES.map((side) => ({ size, side })))
    const ms = FOR_MS[pace]
    for (let round = 0; round < ROUNDS[pace]; round += 1) {
      for (const { size, side } of orderOf(runs, round)) {
        const before = await stack.ask('commands')
        const beganMs = performance.now()
        const rates = await Promise.all(
          instances.slice(0, size).map((child) => child.ask('readFlatOut', { side, ms })),
        )
        const seconds = (performance.now() - beganMs) / 1000
        add(`${side} ${size}`, {
          readsPerSecond: rates.reduce((sum, rate) => sum + rate, 0),
          commandsPerSecond: ((await stack.ask('commands')) - before) / seconds,
        })
      }
    }
  } finally {
    await Promise.all(instances.map((child) => child.stop()))
  }
}

async function measureWorkers({ environment, pace }, add) {
  const child = startProcess(THREADS, { name: 'workers' })
  try {
    const most = Math.max(...WORKERS[pace])
    await child.ask('open', { workers: most, environment, keyPrefix: 'bench:workers' })
    for (let round = 0; round < ROUNDS[pace]; round += 1) {
      for (const size of orderOf(WORKERS[pace], round)) {
        const readsPerSecond = await child.ask('readFlatOut', { workers: size, ms: FOR_MS[pace] })
        add(`workers ${size}`, { readsPerSecond })
      }
    }
  } finally {
    await child.stop()
  }
}
