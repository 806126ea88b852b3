// What an invalidation is of.
const { argumentInvalid, kindOf, shown } = require('./errors.cjs')
const { brokenNameRule, idText, TAG_RULE, wrongTag } = require('./names.cjs')
const { isPlain } = require('./options.cjs')

/** Of one call: each thousand is a command of its own. */
const MOST = 10_000
const NAMES = ['tags', 'entries', 'resources']

/**
 * @param {unknown} targets as `cache.invalidate()` is given them
 * @returns {{ entries: [string, string][], resources: string[], tags: string[] }} as the addon takes them
 */
exports.targetsOf = (targets) => {
  if (!isPlain(targets))
    throw argumentInvalid(`targets are ${kindOf(targets)}: they must be an object`)
  for (const name of Object.keys(targets)) {
    if (!NAMES.includes(name))
      throw argumentInvalid(`target ${name} is not known: it must be one of ${NAMES.join(', ')}`)
  }
  const { tags, entries, resources } = targets
  // A typing error must not pass for an invalidation; a list that happens to be empty may.
  if (tags === undefined && entries === undefined && resources === undefined)
    throw argumentInvalid(`targets name nothing: give at least one of ${NAMES.join(', ')}`)
  return bounded({
    entries: entriesOf(entries),
    resources: listOf('resources', resources, (name) => {
      const rule = brokenNameRule(name)
      return rule && `${shown(name)}: it ${rule}`
    }),
    tags: listOf('tags', tags, (tag) => {
      const wrong = wrongTag(tag)
      return wrong && `${wrong}: it ${TAG_RULE}`
    }),
  })
}

/** @returns {{ entries: [string, string][], resources: string[], tags: string[] }} of one resource, one id or several */
exports.entriesOfResource = (name, ids) =>
  bounded({ entries: pairs(name, Array.isArray(ids) ? ids : [ids]), resources: [], tags: [] })

exports.wholeResource = (name) => ({ entries: [], resources: [name], tags: [] })

function bounded(targets) {
  const { entries, resources, tags } = targets
  const count = entries.length + resources.length + tags.length
  if (count <= MOST) return targets
  throw argumentInvalid(
    `targets are ${count}: at most ${MOST} in one call; use a tag, or invalidateAll()`,
  )
}

function entriesOf(entries = {}) {
  if (!isPlain(entries))
    throw argumentInvalid(
      `target entries is ${kindOf(entries)}: it must be an object of resources and their ids`,
    )
  return Object.entries(entries).flatMap(([name, ids]) => {
    if (ids === undefined) return []
    const rule = brokenNameRule(name)
    if (rule)
      throw argumentInvalid(`target entries has the resource ${shown(name)}: its name ${rule}`)
    if (Array.isArray(ids)) return pairs(name, ids)
    throw argumentInvalid(`target entries.${name} is ${kindOf(ids)}: it must be an array of ids`)
  })
}

/** Each id once. */
function pairs(name, ids) {
  // Not `ids.map`, which would pass over what is missing.
  const texts = Array.from(ids, (id) => idText(id))
  return [...new Set(texts)].map((id) => [name, id])
}

/** @param {(one: unknown) => string | undefined} wrong what one is that is none, and what it must be */
function listOf(target, list = [], wrong) {
  if (!Array.isArray(list))
    throw argumentInvalid(`target ${target} is ${kindOf(list)}: it must be an array`)
  const texts = Array.from(list)
  const index = texts.findIndex(wrong)
  if (index >= 0) throw argumentInvalid(`target ${target}[${index}] is ${wrong(texts[index])}`)
  return [...new Set(texts)]
}
