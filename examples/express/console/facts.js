// What an answer of `/console/state` says, as facts for a list.

import { ago, count, duration, ms, share, time, times } from './words.js'

const LATER = 'changes are seen when a lease ends'

/** @param {object} state @param {{ work: number, page: number } | null} cost store commands a minute */
export function stateFacts({ redis, push, hitRate, counters, breaker, lastErrors }, cost) {
  return [
    { term: 'Redis', ...redisFact(redis, lastErrors) },
    { term: 'Generation', ...generationFact(redis) },
    { term: 'TTL', ...ttlFact(redis) },
    {
      term: 'Breaker',
      value: breaker ?? 'none',
      hint: redis.signed ? 'what is stored is signed' : 'what is stored is not signed',
      bad: breaker === 'open',
    },
    { term: 'Push', ...pushFact(push) },
    {
      term: 'Hit rate',
      value: share(hitRate),
      hint: `of ${count(counters.reads)} reads, with this page's`,
    },
    { term: 'Store commands', ...costFact(cost) },
    { term: 'Source', ...sourceFact(counters, lastErrors) },
  ]
}

export function promptFacts({ version, fetchedAt, source, tier, contentLength }) {
  return [
    { term: 'Version', value: version === null ? 'none' : time(version) },
    { term: 'Loaded', value: time(fetchedAt) },
    { term: 'Source', value: source },
    { term: 'Tier', value: tier },
    { term: 'Length', value: `${count(contentLength)} characters` },
  ]
}

const LENSES_SHOWN = 5
const CHANGES_SHOWN = 5

/** What was given out, and from where. */
export function lensFacts(lenses) {
  if (lenses.length === 0) return [{ term: 'None yet', value: 'Ask for /api/lens/story', hint: '' }]
  return lenses.slice(0, LENSES_SHOWN).map(({ id, title, tier, generation, agoMs }) => ({
    term: id,
    value: title,
    hint: `from ${tier}, generation ${generation ?? 'unknown'}, ${ago(agoMs)}`,
  }))
}

/** What was invalidated, and by what. */
export function changeFacts(changes) {
  return changes.slice(0, CHANGES_SHOWN).map(({ by, what, entries, resources, agoMs }) => ({
    term: by,
    value: what,
    hint: `${dropped(entries, resources)}, ${ago(agoMs)}`,
  }))
}

function dropped(entries, resources) {
  if (resources > 0) return 'all entries dropped'
  if (entries === 0) return 'no entry concerned'
  return entries === 1 ? '1 entry dropped' : `${count(entries)} entries dropped`
}

function redisFact({ configured, reachable, latencyMs, error, reason, invalidationPending }, last) {
  if (!configured) return { value: 'not in use', hint: reason ?? 'not configured', bad: true }
  if (!reachable)
    return { value: 'does not answer', hint: error ? `error: ${error}` : 'not asked', bad: true }
  const value = `answers in ${ms(latencyMs)}`
  if (invalidationPending) return { value, hint: 'an invalidation is still to arrive', bad: true }
  return { value, hint: last.redis ? `last error: ${last.redis}` : 'no error' }
}

function generationFact({ reachable, generation }) {
  if (generation === null) return { value: reachable ? 'none' : 'unknown', hint: 'Redis gave none' }
  return { value: generation, hint: 'of its last invalidation' }
}

function ttlFact({ reachable, ttlSeconds }) {
  if (!reachable) return { value: 'unknown', hint: 'of the stored prompt' }
  if (ttlSeconds === null) return { value: 'none', hint: 'nothing is stored' }
  return { value: duration(ttlSeconds * 1000), hint: 'of the stored prompt' }
}

function pushFact({ enabled, connected, reconnects, lastEventAgoMs }) {
  if (!enabled) return { value: 'off', hint: LATER }
  if (!connected) return { value: 'not connected', hint: LATER, bad: true }
  const heard = lastEventAgoMs === null ? 'nothing heard yet' : `heard ${ago(lastEventAgoMs)}`
  const again = reconnects > 0 ? `; reconnects: ${count(reconnects)}` : ''
  return { value: 'connected', hint: heard + again }
}

function costFact(cost) {
  if (cost === null) return { value: 'counting', hint: 'a minute, of this instance' }
  return { value: `${count(cost.work)} a minute`, hint: `and ${count(cost.page)} for this page` }
}

function sourceFact({ sourceReads, sourceFaults }, last) {
  const hint = last.source ? `last error: ${last.source}` : `faults: ${count(sourceFaults)}`
  return { value: `asked ${times(sourceReads)}`, hint }
}
