// What the admins of a storm change beside the prompt: an entry, a few, those of a group, a whole resource, or all of these
// at once; and the one invalidation that goes with it.

import { ENTRIES, TAGS, covers } from './entries.mjs'

const FEW = 3

const pick = (things, random) => things[Math.floor(random() * things.length)]

/** As many of each kind as its share of this list; the dearer, the fewer. */
const KINDS = [
  ...Array(8).fill('entry'),
  ...Array(5).fill('entries'),
  ...Array(3).fill('tag'),
  ...Array(2).fill('resource'),
  ...Array(2).fill('mixed'),
]

const MAKE = {
  entry: (random, entries) => named([pick(entries, random)]),
  entries(random, entries) {
    const { name } = pick(entries, random)
    const own = entries.filter((entry) => entry.name === name)
    return named(Array.from({ length: FEW }, () => pick(own, random)))
  },
  tag: (random) => ({ tags: [pick(TAGS, random)] }),
  resource: (random, entries) => ({ resources: [pick(entries, random).name] }),
  mixed: (random, entries) => ({
    ...named(Array.from({ length: FEW }, () => pick(entries, random))),
    tags: [pick(TAGS, random)],
    resources: random() < 0.2 ? [pick(entries, random).name] : [],
  }),
}

function named(entries) {
  const ids = {}
  for (const { name, id } of entries) ids[name] = [...new Set([...(ids[name] ?? []), id])]
  return { entries: ids }
}

/**
 * @param {() => number} random
 * @param {number} count of the entries that there are, the first of all
 * @returns {Change}
 *
 * @typedef {object} Change
 * @property {string} kind
 * @property {{ entries?: Record<string, string[]>, resources?: string[], tags?: string[] }} what as `cache.invalidate()` takes it
 * @property {number[]} numbers the entries that it covers, all of which are edited
 */
export function changeOf(random, count = ENTRIES.length) {
  const entries = ENTRIES.slice(0, count)
  const kind = pick(KINDS, random)
  const what = MAKE[kind](random, entries)
  const numbers = [...entries.keys()].filter((number) => covers(what, number))
  return { kind, what, numbers }
}
