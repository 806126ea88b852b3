// The options of `cache.resource()`, checked, and as the addon takes them.
const { kindOf, shown } = require('./errors.cjs')
const { fallbackOf } = require('./fallback.cjs')
const { weakly } = require('./holding.cjs')
const { loaderOf } = require('./loader.cjs')
const { brokenNameRule } = require('./names.cjs')
const { checked } = require('./option-rules.cjs')
const { resourceOptions } = require('./option-schema.cjs')
const { isPlain, Options } = require('./options.cjs')
const { idsIn, queryOf, tableKey } = require('./supabase-query.cjs')
const { tagsOf } = require('./tags.cjs')

const NAMES = resourceOptions.map(({ name }) => name)
const { default: DEFAULT_TTL_SECONDS } = resourceOptions.find(({ name }) => name === 'ttlSeconds')

/**
 * @param {unknown} given
 * @returns {{ definition: object, held: { load?: Function, tags?: unknown, fallback?: unknown }, tables: object }} the definition
 *   knows `held` weakly
 */
exports.definitionOf = (given) => {
  const name = nameOf(new Options(given, NAMES))
  const whose = ` of resource ${name}`
  const options = new Options(given, NAMES, whose)
  const {
    ttlSeconds = DEFAULT_TTL_SECONDS,
    loadTimeoutMs,
    load,
  } = checked(given, resourceOptions, whose)
  const held = {
    load,
    tags: options.get('tags'),
    fallback: options.get('fallback'),
  }
  const supabase = supabaseOf(options, held.load, whose)
  const found = weakly(held)
  const definition = {
    name,
    ttlSeconds,
    loadTimeoutMs,
    load: held.load && loaderOf(name, found),
    supabase,
    tags: tagsOf(options, name, held.tags, found),
    fallback: fallbackOf(options, name, held.fallback, found),
  }
  return { definition, held, tables: tablesOf(options, supabase) }
}

function nameOf(options) {
  const name = options.get('name')
  const rule = brokenNameRule(name)
  if (rule) throw options.refusal('name', shown(name), rule)
  return name
}

/** One of the two is where values come from. */
function supabaseOf(options, load, whose) {
  const query = options.get('supabase')
  if (load && query !== undefined)
    throw options.refusal('supabase', 'given', 'must not come with load')
  if (load) return undefined
  if (query === undefined)
    throw options.refusal(
      'load',
      'undefined',
      'must be a function, or supabase be given in its place',
    )
  if (!isPlain(query)) throw options.refusal('supabase', kindOf(query), 'must be an object')
  return queryOf(query, whose)
}

/** A change of the table that it reads concerns the entry of the row's own id, unless the user said otherwise. */
function tablesOf(options, supabase) {
  const tables = options.get('tables') ?? {}
  if (!isPlain(tables)) throw options.refusal('tables', kindOf(tables), 'must be an object')
  for (const [table, ids] of Object.entries(tables)) {
    if (typeof ids !== 'function' && ids !== true && ids !== undefined)
      throw options.refusal(`tables.${table}`, kindOf(ids), 'must be a function, or true')
  }
  const given = Object.entries(tables).filter(([, ids]) => ids !== undefined)
  return Object.fromEntries([...ownTable(supabase), ...given])
}

function ownTable(supabase) {
  if (!supabase) return []
  const { schema, table, match } = supabase
  return [[tableKey(schema, table), idsIn(match)]]
}
