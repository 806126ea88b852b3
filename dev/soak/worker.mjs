// A worker thread that uses the cache, and ends by itself or, if it is `endless`, is terminated amid a read and an invalidation.

import { parentPort, workerData } from 'node:worker_threads'
import { configure, invalidateSystemPrompt } from 'grove-shared-cache'
import { promptCache } from '../prompt-cache.mjs'
import * as grove from 'grove-shared-cache'

import { requirePrompt, soaked } from './loads.mjs'

const { place, endless } = workerData
configure(soaked(place, {}))
const own = promptCache(
  soaked(place, { maxStalenessMs: 0, onLog() {}, logLevel: 'debug', legacySource: () => null }),
)
await Promise.all([requirePrompt(grove), requirePrompt(own)])
await invalidateSystemPrompt()
parentPort.postMessage('used')
while (endless) await Promise.all([requirePrompt(own), invalidateSystemPrompt()])
