// What the calls of one cell of the matrix had to be, and what was wrong with them.

import { TARGETS } from './faults.mjs'

/** How a call is spoken of. */
const named = ({ phase, cache, call }) => `${phase}: ${call} of the ${cache} cache`

/** @param {object[]} records as an instance gives them @returns {string[]} those that ended too late */
export function lateCalls(records) {
  return records.filter(({ late }) => late).map((each) => `${named(each)} took ${each.ms} ms`)
}

/**
 * @param {object[]} records as an instance gives them
 * @param {{ target: string, breakage: import('./faults.mjs').Breakage, cured: boolean }} cell `cured`: whether all was well before,
 *   and is again
 * @returns {string[]} what was wrong with them apart from the time, one line each
 */
export function problemsOf(records, cell) {
  // What came before the fault is preparation.
  const judged = records.filter(({ phase }) => phase !== 'well')
  return [
    ...judged.flatMap((record) =>
      [unlabelled(record), unexpected(record, cell), unlikely(record, cell)]
        .filter(Boolean)
        .map((words) => `${named(record)} ${words}`),
    ),
    ...unnoticed(records, cell),
  ]
}

const isRead = ({ call }) => call.startsWith('fetch') || call.startsWith('debug')

/** What is served is the prompt, and the fallback is called one. */
function unlabelled(record) {
  if (!isRead(record)) return null
  const { phase, outcome, tier, source, content, code } = record
  if (outcome !== 'resolved') return `${outcome} with ${code}`
  // Who was not told of the edit yet, and cannot ask, has the prompt before it.
  if (phase === 'edited' && tier === 'stale') return null
  if (content === 'something else') return 'gave something that is not the prompt'
  // A string has no label.
  if (tier === undefined) return null
  const standsIn = tier === 'fallback'
  if (standsIn === (content === 'stand-in') && standsIn === (source === 'fallback')) return null
  return `gave ${content} as ${tier} of ${source}`
}

function unexpected({ phase, cache, tier, content, generation }, cell) {
  const tiers = tiersOf(phase, cache, cell)
  if (tier !== undefined && !tiers.includes(tier)) return `gave ${tier} instead of ${tiers}`
  const { target, breakage } = cell
  const storeless = TARGETS[target].includes('store') && breakage.words.length > 0
  if (storeless && phase === 'struck' && cache.startsWith('cold') && (generation ?? null) !== null)
    return `gave generation ${generation}, which no store has told`
  const standsIn = content === 'stand-in'
  if (standsIn && !tiers.includes('fallback')) return 'gave the fallback'
  if (content === 'truth' && tiers.every((each) => each === 'fallback')) return 'gave an old prompt'
  return null
}

const ANY = ['memory', 'redis', 'source', 'stale', 'fallback']

/** The tiers that may answer. */
export function tiersOf(phase, cache, { target, breakage, cured }) {
  const broken = TARGETS[target]
  const [store, source] = ['store', 'source'].map((place) => broken.includes(place))
  const standIn = breakage.saysNone ? 'fallback' : 'stale'
  const lease = cache === 'leased' ? ['memory'] : []
  const confirmed = store && breakage.confirms ? ['redis'] : []
  // Of who has no prompt, and finds none in the store.
  const blank = source ? 'fallback' : 'source'
  const held = store && source ? standIn : store ? 'source' : 'redis'
  const before = cured ? held : blank
  const after = source ? ['fallback'] : ['source', ...lease]
  switch (phase) {
    case 'recovering':
    case 'edited':
      return ANY
    case 'struck':
      if (cache === 'cold') return [store && source ? blank : before, ...confirmed]
      if (cache === 'cold, store empty') return [blank, ...confirmed]
      return [before, ...confirmed, ...lease]
    case 'drained':
      return [standIn, ...lease]
    case 'invalidating':
      return [before, ...confirmed, ...after, ...lease]
    case 'invalidated':
      return after
    default:
      throw new Error(`no phase ${phase}`)
  }
}

/** What writes to the store is refused while that is broken, and only then. */
function unlikely({ phase, call, outcome, code, shared }, { target, breakage }) {
  if (isRead({ call })) return null
  if (outcome === 'rejected' && code !== 'STORE_UNAVAILABLE') return `rejected with ${code}`
  // The last invalidation is tried until it goes through.
  if (phase === 'edited') return null
  const broken = TARGETS[target].includes('store')
  if (call === 'invalidateSystemPrompt') {
    if (outcome !== (broken ? 'rejected' : 'resolved')) return outcome
    return !broken && !shared ? 'reached this instance only' : null
  }
  // What looks well is believed for values: nothing tells whether they are.
  if (broken && breakage.words.length === 0) return null
  return outcome === (broken ? 'rejected' : 'resolved') ? null : outcome
}

/** That the fault was met at all, and called by its name. */
function unnoticed(records, { target, breakage: { words } }) {
  if (!TARGETS[target].includes('store') || words.length === 0) return []
  const heard = new Set(records.filter(({ phase }) => phase === 'struck').map(({ word }) => word))
  return words.some((word) => heard.has(word)) ? [] : [`nothing said ${words}, but ${[...heard]}`]
}
