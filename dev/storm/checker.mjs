// Whether a storm kept the promises. Pure, over every single read.
//
// Each property is decided read by read, without sampling or summing up:
//   bound      the earliest promise of a newer version came more than `boundMs` before the read began: one comparison
//              with `supersededAt`, which is the minimum over all promises
//   proven     the same, with the receipts of all instances, and no time to lose
//   told       the same, with the promises given on this very instance, and no time to lose
//   monotonic  among all reads that had ended before this one began, none gave a newer version: records are in order of
//              their endings, so these are a prefix, found by halving, and its maximum is at hand; not of an instance that
//              evicts, which cannot know what it delivered
//   stand-in   `stale` and `fallback` may stand in only where the source had no prompt to give meanwhile, or the process stood
//              still in the middle of the read
//   hung       the read took longer than all timeouts together, a freeze of its process aside
// Reads that say themselves that something stood in for the prompt are in no other property.

import { overlaps, supersededAt } from './history.mjs'
import { FIELDS, unpacked } from './journal.mjs'

const STAND_INS = ['stale', 'fallback']
const EXAMPLES_KEPT = 5

/** @param {import('./history.mjs').History} history */
export function checkHistory(history) {
  const everywhere = supersededAt(history)
  const proven = supersededAt(history, ({ receipt }) => receipt === 'proven')
  const found = {
    reads: 0,
    tiers: {},
    bound: 0,
    monotonic: 0,
    told: 0,
    proven: 0,
    unproven: history.invalidations.filter(({ receipt }) => receipt === 'unproven').length,
    receipts: history.invalidations.filter(({ receipt }) => receipt === 'proven').length,
    standIn: 0,
    hung: 0,
    unknown: 0,
    failed: 0,
    stale: 0,
    oldestMs: 0,
    wakes: [],
    examples: [],
  }
  history.instances.forEach((instance, index) => {
    const here = supersededAt(history, (invalidation) => invalidation.instance === index)
    checkInstance({ history, instance, index, everywhere, proven, here, found })
  })
  return found
}

function checkInstance({ history, instance, index, everywhere, proven, here, found }) {
  const { records, pauses, pending, evicts = false } = instance
  const { boundMs, hungMs } = history.limits
  const count = records.length / FIELDS
  const noPrompt = spansWithoutPrompt(history)
  // The newest version among the first n reads to end.
  const newest = new Float64Array(count + 1)
  const firstAwake = pauses.map(() => null)

  const violate = (property, read) => {
    found[property] += 1
    if (found.examples.filter((example) => example.property === property).length < EXAMPLES_KEPT)
      found.examples.push({ property, instance: index, ...read })
  }

  for (let position = 0; position < count; position += 1) {
    const at = position * FIELDS
    const [beganMs, endedMs] = [records[at], records[at + 1]]
    if (position > 0 && endedMs < records[at - FIELDS + 1])
      throw new Error('the records are not in the order of their endings')
    const { version, tier } = unpacked(records[at + 2])
    const read = { beganMs, endedMs, version, tier }
    found.reads += 1
    found.tiers[tier] = (found.tiers[tier] ?? 0) + 1
    newest[position + 1] = newest[position]

    if (endedMs - beganMs - pausedMs(read, pauses) > hungMs) violate('hung', read)
    if (tier === 'failed' || tier === 'unknown') violate(tier, read)
    else if (STAND_INS.includes(tier)) {
      // A read may share a load that began up to `boundMs` before it.
      const span = { fromMs: beganMs - boundMs, toMs: endedMs }
      const stoodStill = pauses.some((pause) => overlaps({ fromMs: beganMs, toMs: endedMs }, pause))
      if (!noPrompt(span) && !stoodStill) violate('standIn', read)
    } else {
      const staleMs = beganMs - everywhere[version]
      if (staleMs > 0) found.stale += 1
      found.oldestMs = Math.max(found.oldestMs, staleMs)
      if (staleMs > boundMs) violate('bound', read)
      if (beganMs > proven[version]) violate('proven', read)
      if (beganMs > here[version]) violate('told', read)
      if (!evicts && newest[endedBefore(records, position, beganMs)] > version)
        violate('monotonic', read)
      newest[position + 1] = Math.max(newest[position], version)
    }
    pauses.forEach(({ toMs }, pause) => {
      if (beganMs >= toMs && !(firstAwake[pause]?.beganMs <= beganMs)) firstAwake[pause] = read
    })
  }
  for (const beganMs of pending) violate('hung', { beganMs, endedMs: null })
  pauses.forEach((pause, position) => {
    const read = firstAwake[position]
    if (!read) return
    const standIn = STAND_INS.includes(read.tier)
    const stale = !standIn && read.beganMs - everywhere[read.version] > boundMs
    found.wakes.push({ instance: index, afterMs: pause.toMs - pause.fromMs, stale, ...read })
  })
}

/** How many reads had ended before an instant, of the first `count`. */
function endedBefore(records, count, instantMs) {
  let [least, most] = [0, count]
  while (least < most) {
    const middle = (least + most) >> 1
    if (records[middle * FIELDS + 1] < instantMs) least = middle + 1
    else most = middle
  }
  return least
}

function pausedMs({ beganMs, endedMs }, pauses) {
  return pauses.reduce(
    (sum, { fromMs, toMs }) =>
      sum + Math.max(0, Math.min(endedMs, toMs) - Math.max(beganMs, fromMs)),
    0,
  )
}

/** Whether the source had no prompt to give at some moment of a span: in an outage, or between the steps of an edit. */
function spansWithoutPrompt({ sourceOutages, edits }) {
  const spans = [
    ...sourceOutages,
    ...edits
      .filter(({ fromMs }) => fromMs !== undefined)
      .map(({ fromMs, committedMs }) => ({ fromMs, toMs: committedMs })),
  ]
  return (span) => spans.some((other) => overlaps(span, other))
}

/** Which promises a program broke, in words; empty if none. @returns {string[]} */
export function brokenPromises(found) {
  const words = {
    bound: 'reads older than promised',
    monotonic: 'reads that went back in time',
    told: 'reads older than what their own instance had invalidated',
    proven: 'reads that a receipt had ruled out',
    unproven: 'receipts that proved nothing',
    standIn: 'reads of a stand-in while the source had the prompt',
    hung: 'reads that hung',
    unknown: 'reads of a prompt that nobody made',
    failed: 'reads that failed',
  }
  const broken = Object.keys(words).filter((property) => found[property] > 0)
  return [
    found.reads === 0 && 'no reads',
    ...broken.map((property) => `${found[property]} ${words[property]}`),
  ].filter(Boolean)
}
