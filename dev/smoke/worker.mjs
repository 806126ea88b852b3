// A worker of `smoke.mjs`: a cache of its own on the same keys.
import { parentPort, workerData } from 'node:worker_threads'
import { SystemPromptCache } from 'grove-shared-cache'

const cache = new SystemPromptCache({ ...workerData, logLevel: 'silent' })
const { content, tier } = await cache.fetchActiveSystemPromptConfig()
parentPort.postMessage({ content, tier })
