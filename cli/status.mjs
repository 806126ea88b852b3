// `status`: what `debugSystemPrompt()` says, without the prompt's text.

import { setTimeout as wait } from 'node:timers/promises'

import { withInstance } from './instance.mjs'
import { oneLine, spell } from './output.mjs'

/** How long a stream may take to open that is on its way. */
const STREAM_WITHIN_MS = 1000
const OFTEN_MS = 10
/** Every read asks, so that the tier says who answered. */
const ASKING = { maxStalenessMs: 0 }
/** What a read gives while Redis or the source answers. */
const OF_THE_TRUTH = ['memory', 'redis', 'source']

/** @returns {Promise<0 | 1>} 1 if what servers are given is a stand-in, or Redis does not answer them */
export async function run({ output, ...options }) {
  const state = await withInstance(options, look, ASKING)
  const { contentPreview: _preview, fullContent: _content, ...shown } = state
  if (output.json) output.object(shown)
  else for (const line of linesOf(shown)) output.line(line)
  const { configured, reachable } = state.redis
  return OF_THE_TRUTH.includes(state.tier) && (reachable || !configured) ? 0 : 1
}

async function look(cache) {
  // The first read opens the stream.
  await cache.systemPrompt.fetchActiveSystemPromptConfig()
  const last = Date.now() + STREAM_WITHIN_MS
  while (isOpening(cache.stats()) && Date.now() < last) await wait(OFTEN_MS)
  return cache.systemPrompt.debugSystemPrompt()
}

// Not where something has gone wrong already.
const isOpening = ({ push, breaker, lastErrors }) =>
  breaker === 'closed' && push.enabled && !push.connected && !lastErrors.redis && !lastErrors.push

function* linesOf(state) {
  const { title, version, tier, source, contentLength, redis, fleet } = state
  const name = title === null ? 'a prompt without a title' : `"${oneLine(title)}"`
  yield `prompt   ${name}, ${contentLength} characters, version ${oneLine(version ?? '-')}`
  yield `tier     ${tier}, loaded from ${oneLine(source)} at ${state.fetchedAt}`
  if (!redis.configured) {
    yield `redis    none: ${redis.reason}`
    return
  }
  yield redis.reachable
    ? `redis    answers in ${spell(redis.latencyMs)}, ${redis.signed ? 'signed' : 'not signed'}`
    : `redis    does not answer (${redis.error}): \`grove-shared-cache doctor\` says what to do`
  if (redis.reachable)
    yield `stored   generation ${redis.generation ?? '-'}, ${redis.ttlSeconds === null ? 'nothing is stored' : `expires in ${redis.ttlSeconds} s`}`
  yield `breaker  ${redis.breaker}`
  yield `push     ${redis.pushConnected ? 'connected' : 'not connected: changes are seen when a lease ends'}`
  if (fleet === null) {
    yield 'fleet    not known: Redis did not say'
    return
  }
  yield `fleet    ${fleet.length} ${fleet.length === 1 ? 'instance' : 'instances'}`
  for (const { id, generation, leaseMs, self } of fleet) {
    const seen = generation === null ? 'has acknowledged none' : `has acknowledged ${generation}`
    yield `         ${id}  ${seen}, lease ${spell(leaseMs)}${self ? '  (this command)' : ''}`
  }
}
