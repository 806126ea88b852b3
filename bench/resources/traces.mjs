// Reads of keys, one after the other, as caches meet them: some keys far more popular than others, one scan after the other, a
// loop, popularity that moves.

import { randomOf } from '../../dev/storm/random.mjs'

/** Of the keys: what a loop goes around, and what one scan reads. */
const LOOP_SHARE = 0.2
const SCAN_SHARE = 0.05
/** So many reads between two scans, for each of a scan. */
const BETWEEN_SCANS = 2
const MOVES = 10

/**
 * By name; what has no `judged` is measured and has no goal.
 *
 * @type {Record<string, { title: string, judged: boolean, keys: (options: { keys: number, reads: number, seed: number }) => Uint32Array }>}
 */
export const TRACES = {
  'zipf-0.7': { title: 'Zipf 0.7', judged: true, keys: zipf(0.7) },
  'zipf-0.9': { title: 'Zipf 0.9', judged: true, keys: zipf(0.9) },
  'zipf-1.1': { title: 'Zipf 1.1', judged: true, keys: zipf(1.1) },
  scans: { title: 'Zipf 0.9 and scans', judged: true, keys: scans },
  loop: { title: 'a loop', judged: true, keys: loop },
  moving: { title: 'Zipf 0.9, moving', judged: false, keys: moving },
}

/** Ranks, of which the n-th has a share of n^-exponent. @returns {() => number} from 0 */
function ranksOf(exponent, count, random) {
  const upTo = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank += 1) upTo[rank] = sum += (rank + 1) ** -exponent
  return () => {
    const wanted = random() * sum
    let [least, most] = [0, count - 1]
    while (least < most) {
      const middle = (least + most) >> 1
      if (upTo[middle] < wanted) least = middle + 1
      else most = middle
    }
    return least
  }
}

function zipf(exponent) {
  return ({ keys, reads, seed }) => {
    const rank = ranksOf(exponent, keys, randomOf(seed))
    return Uint32Array.from({ length: reads }, rank)
  }
}

/** Scans are of keys that nothing else reads, and never of the same: a third of the reads. */
function scans({ keys, reads, seed }) {
  const popular = zipf(0.9)({ keys, reads, seed })
  const scan = Math.ceil(keys * SCAN_SHARE)
  const period = scan * (1 + BETWEEN_SCANS)
  let scanned = keys
  return popular.map((key, at) => (at % period < period - scan ? key : scanned++))
}

function loop({ keys, reads }) {
  const around = Math.ceil(keys * LOOP_SHARE)
  return Uint32Array.from({ length: reads }, (_, at) => at % around)
}

/** Each tenth of the reads has other popular keys. */
function moving({ keys, reads, seed }) {
  const each = Math.ceil(reads / MOVES)
  return zipf(0.9)({ keys, reads, seed }).map(
    (key, at) => (key + Math.floor(at / each) * Math.floor(keys / MOVES)) % keys,
  )
}
