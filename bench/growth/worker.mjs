// A worker thread that reads through this package when it is told for how long.

import { parentPort, workerData } from 'node:worker_threads'
import { configure, fetchActiveSystemPrompt } from 'grove-shared-cache'

import { optionsOf } from '../../dev/cache-options.mjs'
import { requirePrompt } from '../prompt.mjs'
import { readFlatOut } from './flat-out.mjs'

configure(optionsOf(workerData))
requirePrompt('a worker', await fetchActiveSystemPrompt())
parentPort.on('message', async (ms) => {
  parentPort.postMessage(await readFlatOut(() => fetchActiveSystemPrompt(), ms))
})
parentPort.postMessage('open')
