// `watch`: a line each time the active prompt changes, as an instance of its own sees it.

import { setTimeout as wait } from 'node:timers/promises'

import { withInstance } from './instance.mjs'
import { oneLine } from './output.mjs'

/** A read is served from memory; what a change costs in time is at most this, beside the push. */
const OFTEN_MS = 50
/** Who told the truth is no change of it: a read is answered by memory or by Redis as its lease runs. */
const OF_THE_TRUTH = ['memory', 'redis', 'source']

/** @returns {Promise<0>} when it was stopped, when nobody reads any more, or with `once` after the first change */
export async function run({ output, once, ...options }) {
  const stop = new AbortController()
  const end = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end)
  output.once('closed', end)
  await withInstance(options, (cache) => watch(cache, { output, once, signal: stop.signal }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, end)
  return 0
}

async function watch(cache, { output, once, signal }) {
  const { redis } = await cache.systemPrompt.debugSystemPrompt()
  const why = redis.reason ?? (redis.error && `Redis does not answer (${redis.error})`)
  if (why)
    console.error(`grove-shared-cache: ${why}: a change is seen when the source is asked, if it is`)
  let last
  let changes = -1
  while (!signal.aborted && !(once && changes > 0)) {
    const prompt = await cache.systemPrompt.fetchActiveSystemPromptConfig()
    const now = markOf(prompt)
    if (now !== last && !signal.aborted) {
      last = now
      changes += 1
      print(output, prompt)
    }
    // Rejects when it is stopped, which the loop sees by itself.
    await wait(OFTEN_MS, undefined, { signal }).catch(() => {})
  }
}

function markOf({ version, generation, tier }) {
  return JSON.stringify([version, generation, OF_THE_TRUTH.includes(tier) || tier])
}

function print(output, { content, version, title, generation, tier, source }) {
  const time = new Date()
  const contentLength = content.length
  if (output.json) {
    output.object({
      time: time.toISOString(),
      tier,
      source,
      generation,
      version,
      title,
      contentLength,
    })
    return
  }
  const name = title === null ? 'without a title' : `"${oneLine(title)}"`
  const local = `${time.toLocaleString('sv-SE')}.${String(time.getMilliseconds()).padStart(3, '0')}`
  const what = `${tier}, generation ${generation ?? '-'}, version ${oneLine(version ?? '-')}`
  output.line(`${local}  ${what}, ${name}, ${contentLength} characters`)
}
