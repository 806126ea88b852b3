// The entries of a storm: what there is beside the prompt, what its values look like, and which version a value is of.

import { isDeepStrictEqual } from 'node:util'

/** Of each resource. */
const IDS = 50
/** Of each kind of values. */
const RESOURCES_EACH = 4
/** Objects are all in one group; the others are in one of four, and every third in two. */
export const TAGS = ['hub:0', 'hub:1', 'hub:2', 'hub:3', 'objects/all']
const FILLER = 'A lens shows one side of the material, and names what it leaves out. '

const hubs = (number) => [TAGS[number % 4], ...(number % 3 === 0 ? [TAGS[(number + 1) % 4]] : [])]

/**
 * Strings, objects, and rows that the package reads by itself. `value` makes a value of a row of the source; `fallback` stands in for
 * it, where there is something to stand in.
 */
const KINDS = {
  text: {
    tagsOf: hubs,
    value: ({ id, version, text }) => `${id}, edit ${version}. ${text}`,
    fallback: (id) => `A stand-in for ${id}.`,
  },
  object: {
    tagsOf: () => [TAGS[4]],
    value: ({ id, version, text }) => ({ id, version, parts: [text, { length: text.length }] }),
  },
  row: {
    tagsOf: hubs,
    value: (row) => row,
    fallback: () => ({ id: 'a stand-in' }),
  },
}

/** By name: one of each kind, and then the others. */
export const RESOURCES = Object.fromEntries(
  Array.from({ length: RESOURCES_EACH }, (_, round) =>
    Object.entries(KINDS).map(([kind, resource]) => [
      round === 0 ? kind : `${kind}-${round + 1}`,
      { kind, ...resource },
    ]),
  ).flat(),
)

/** How many entries so many resources have: the first ones of `ENTRIES`. */
export const entriesOf = (resources) => resources * IDS

/**
 * All of them; what refers to one does so by its number here. Ids have characters that a key must not have as they are.
 *
 * @type {Array<{ name: string, id: string, tags: string[] }>}
 */
export const ENTRIES = Object.entries(RESOURCES).flatMap(([name, { tagsOf }]) =>
  Array.from({ length: IDS }, (_, number) => ({
    name,
    id: `${name}/${number} 50 % é`,
    tags: tagsOf(number),
  })),
)

const numbers = new Map(ENTRIES.map(({ id }, number) => [id, number]))
export const numberOf = (id) => numbers.get(id)

/** The row of an entry in the source. */
export function rowOf(number, version) {
  return { id: ENTRIES[number].id, version, text: FILLER.repeat(1 + (version % 7)) }
}

/** Whether a change of these, as `cache.invalidate()` takes it, is one of this entry. */
export function covers({ entries = {}, resources = [], tags = [] }, number) {
  const { name, id, tags: own } = ENTRIES[number]
  return (
    resources.includes(name) ||
    (entries[name] ?? []).includes(id) ||
    own.some((tag) => tags.includes(tag))
  )
}

/** Reads versions back; a value that no edit of this very entry made, or not as a whole, has none. */
export class EntryReader {
  #last = new Map()

  /** @param {number} number @param {unknown} value @returns {number | null} */
  versionOf(number, value) {
    // Nearly all reads give what the one before gave.
    const last = this.#last.get(number)
    if (last && last.value === value) return last.version
    const version = Number(typeof value === 'string' ? saidIn(value) : value?.version)
    const { value: made } = RESOURCES[ENTRIES[number].name]
    const whole =
      Number.isInteger(version) && isDeepStrictEqual(value, made(rowOf(number, version)))
    this.#last.set(number, { value, version: whole ? version : null })
    return whole ? version : null
  }
}

const saidIn = (text) => /, edit (\d+)\. /.exec(text)?.[1]
