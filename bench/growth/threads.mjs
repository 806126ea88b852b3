// A process whose worker threads read through this package. Started by `startProcess`.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

import { serveParent } from '../../dev/process.mjs'

const WORKER = new URL('worker.mjs', import.meta.url)

let threads = []

serveParent({
  async open({ workers, ...place }) {
    threads = Array.from({ length: workers }, () => new Worker(WORKER, { workerData: place }))
    await Promise.all(threads.map((thread) => once(thread, 'message')))
  },

  /** @returns {Promise<number>} reads a second of so many threads together */
  async readFlatOut({ workers, ms }) {
    const rates = threads.slice(0, workers).map(async (thread) => {
      thread.postMessage(ms)
      const [rate] = await once(thread, 'message')
      return rate
    })
    return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0)
  },
})
