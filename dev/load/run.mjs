// One run: fresh instances behind the proxy, chats at a steady rate, edits meanwhile.

import { startInstances } from '../instances.mjs'
import { runScenario } from './artillery.mjs'
import { startEdits } from './edits.mjs'
import { startRoundRobin } from './round-robin.mjs'
import { judgeStaleness } from './staleness.mjs'

const EDIT_EVERY_MS = 4000
const BOUND_MS = 1000

/**
 * @param {{ stack: object, shared: boolean, seconds: number, rate: number }} options `shared`: with the shared cache
 * @returns {Promise<object>} what was measured
 */
export async function measureRun({ stack, shared, seconds, rate }) {
  const environment = {
    ...stack.environment,
    LOG_LEVEL: 'error',
    // As a server without any cache: each chat reads the database.
    ...(!shared && { UPSTASH_REDIS_REST_URL: '', MAX_STALENESS_MS: '0' }),
  }
  const instances = await startInstances({ environment })
  const proxy = await startRoundRobin(instances.map(({ url }) => url))
  const { edits, stop } = await startEdits({ sql: stack.sql, instances, everyMs: EDIT_EVERY_MS })
  try {
    const { responseTimeMs, responses, failures } = await runScenario({
      target: proxy.url,
      seconds,
      rate,
    })
    await stop()
    const counters = await countersOf(instances)
    const judged = judgeStaleness({ chats: proxy.chats, edits, boundMs: BOUND_MS })
    return {
      sharedCache: shared,
      responses,
      edits: editsUnder(proxy.chats, edits),
      ...judged,
      failures,
      responseTimeMs,
      systemPromptMs: quantiles(proxy.chats.map(({ systemPromptMs }) => systemPromptMs)),
      hitRate: shared
        ? (counters.memoryHits + counters.hits) /
          (counters.memoryHits + counters.hits + counters.misses)
        : null,
      withoutSource: share(proxy.chats, ({ tier }) => tier === 'redis' || tier === 'memory'),
      counters,
    }
  } finally {
    await stop().catch(() => {})
    await proxy.stop()
    await Promise.all(instances.map((instance) => instance.stop()))
  }
}

/** How many edits came while chats did; Artillery takes some seconds to begin. */
function editsUnder(chats, edits) {
  const [first, last] = [chats.at(0)?.beganMs, chats.at(-1)?.beganMs]
  return edits.filter(({ resolvedMs }) => resolvedMs > first && resolvedMs < last).length
}

/** The sum over all instances. */
async function countersOf(instances) {
  const states = await Promise.all(instances.map((instance) => instance.debug()))
  const sum = {}
  for (const { counters } of states) {
    for (const [name, count] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + count
  }
  return sum
}

function share(chats, wanted) {
  return chats.filter(wanted).length / chats.length
}

function quantiles(values) {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}
