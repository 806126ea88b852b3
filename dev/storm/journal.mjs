// Every read of one instance, as three numbers in a file: when it began, when it ended, and what it gave.
//
// Nothing is summed up while the storm runs, so nothing is lost that the checker could need. A read is 24 bytes; a
// Float64 holds the instants as the clock gave them, and the third number exactly (it stays far below 2^53).

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Numbers of a record. */
export const FIELDS = 3
const RECORDS_PER_WRITE = 8192
/** The most entries that a journal tells apart. */
const ENTRIES = 4096
const TIERS = ['memory', 'redis', 'source', 'stale', 'fallback', 'unknown', 'failed']

/**
 * The third number of a record. `version` is 0 where the answer was no edit's; `entry` is the number of the entry that was read, 0
 * for the prompt.
 */
export function packed({ version, tier, entry = 0 }) {
  const index = TIERS.indexOf(tier)
  return (version * ENTRIES + entry) * TIERS.length + (index < 0 ? TIERS.indexOf('failed') : index)
}

/** @returns {{ version: number, tier: string, entry: number }} */
export function unpacked(number) {
  const rest = Math.floor(number / TIERS.length)
  return {
    version: Math.floor(rest / ENTRIES),
    tier: TIERS[number % TIERS.length],
    entry: rest % ENTRIES,
  }
}

/** Writes records in the order in which the reads ended. */
export class Journal {
  #file
  #records = new Float64Array(RECORDS_PER_WRITE * FIELDS)
  #used = 0
  /** Reads so far. */
  reads = 0

  constructor(path) {
    this.#file = openSync(path, 'w')
  }

  append(beganMs, endedMs, what) {
    this.#records[this.#used] = beganMs
    this.#records[this.#used + 1] = endedMs
    this.#records[this.#used + 2] = what
    this.#used += FIELDS
    this.reads += 1
    if (this.#used === this.#records.length) this.#flush()
  }

  close() {
    this.#flush()
    closeSync(this.#file)
  }

  #flush() {
    const bytes = new Uint8Array(this.#records.buffer, 0, this.#used * 8)
    for (let written = 0; written < bytes.length;)
      written += writeSync(this.#file, bytes, written, bytes.length - written)
    this.#used = 0
  }
}

/** @returns {Float64Array} all records of a closed journal, one after the other */
export function recordsIn(path) {
  const { buffer, byteOffset, byteLength } = readFileSync(path)
  // A copy, where the file's bytes do not begin at a multiple of eight.
  if (byteOffset % 8 !== 0)
    return new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength))
  return new Float64Array(buffer, byteOffset, byteLength / 8)
}

/** The records of each of so many entries by themselves, in the same order. @returns {Float64Array[]} */
export function recordsOfEntry(records, count) {
  const sizes = new Uint32Array(count)
  for (let at = 0; at < records.length; at += FIELDS) sizes[unpacked(records[at + 2]).entry] += 1
  const split = Array.from(sizes, (size) => new Float64Array(size * FIELDS))
  const used = new Uint32Array(count)
  for (let at = 0; at < records.length; at += FIELDS) {
    const { entry } = unpacked(records[at + 2])
    split[entry].set(records.subarray(at, at + FIELDS), used[entry])
    used[entry] += FIELDS
  }
  return split
}
