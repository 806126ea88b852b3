// A worker of `smoke.mjs`: a cache of its own on the same keys.
import { parentPort, workerData } from 'node:worker_threads'
import { promptCache } from '../prompt-cache.mjs'

const cache = promptCache({ ...workerData, logLevel: 'silent' })
const { content, tier } = await cache.fetchActiveSystemPromptConfig()
parentPort.postMessage({ content, tier })
