// What a change of the database concerns: the ids that the maps of resources give for its rows. Where a map gives no answer that can
// be used, the whole resource: too much is loaded again, but no change is lost.
const { wrongId } = require('../names.cjs')

/** Ids that one webhook drops of a resource, and of all together: beyond, the resource goes as a whole. */
const MOST_IDS = 1000
const MOST_IDS_TOGETHER = 5000
const ALL = Symbol('all entries')

/**
 * @param {object} change see `change.cjs`
 * @param {Iterable<{ name: string, tables?: Record<string, true | Function> }>} resources
 * @param {(message: string) => void} warn
 * @returns {{ targets: { entries: Record<string, string[]>, resources: string[], tags: string[] }, mapped: boolean,
 *   widened: string[] }} `mapped`: whether a resource names the table; `widened`: the resources that go as a whole because of what
 *   their map did
 */
exports.concernedBy = (change, resources, warn) => {
  const tags = [`table:${change.schema}.${change.table}`]
  // A resource may be called `__proto__`.
  const targets = { entries: Object.create(null), resources: [], tags }
  const widened = []
  let mapped = false
  let together = 0
  for (const { name, tables } of resources) {
    const maps = mapsOf(tables, change)
    if (maps.length === 0) continue
    mapped = true
    const found = maps.map((map) => idsOf(map, change))
    const ids = new Set(found.flatMap(({ ids }) => ids))
    const tooMany = ids.size > MOST_IDS || together + ids.size > MOST_IDS_TOGETHER
    const problem =
      found.find(({ problem }) => problem)?.problem ??
      (tooMany ? `gave ${ids.size} ids` : undefined)
    if (problem) {
      widened.push(name)
      warn(`webhook: all of ${name} is invalidated, as its map ${problem}`)
    }
    if (problem || ids.has(ALL)) {
      targets.resources.push(name)
    } else if (ids.size > 0) {
      targets.entries[name] = [...ids]
      together += ids.size
    }
  }
  return { targets, mapped, widened }
}

function mapsOf(tables, { schema, table }) {
  const names = [`${schema}.${table}`, ...(schema === 'public' ? [table] : [])]
  return names.filter((name) => Object.hasOwn(tables ?? {}, name)).map((name) => tables[name])
}

/** @returns {{ ids: (string | symbol)[], problem?: string }} */
function idsOf(map, change) {
  const rows = [change.record, change.old_record].filter(Boolean)
  // After a TRUNCATE, or from a trigger for whole statements.
  if (map === true || change.type === 'TRUNCATE' || rows.length === 0) return { ids: [ALL] }
  try {
    const given = rows.flatMap((row) => listOf(map(row, change), change))
    return { ids: given.map(idOf) }
  } catch (error) {
    return { ids: [], problem: error instanceof NoId ? error.message : `threw (${error?.name})` }
  }
}

class NoId extends Error {}

function listOf(given, { partial }) {
  // It may be in what is missing.
  if (isNone(given) && partial) throw new NoId('gave nothing for a row without its large columns')
  const list = isNone(given) ? [] : [given].flat()
  // A promise is no id; where it rejects, nobody is there to hear.
  for (const one of list) one?.then?.(undefined, () => {})
  return list
}

const isNone = (given) => given === null || given === undefined

function idOf(id) {
  // JSON.parse has rounded a number that is too large already.
  const wrong = wrongId(id)
  if (wrong) throw new NoId(`gave an id that is ${wrong}`)
  return String(id)
}
