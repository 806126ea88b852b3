// Resources that are read from Supabase by the addon itself, and four that are ready-made.
const { isName } = require('./names.cjs')
const { Options } = require('./options.cjs')
const { idsIn, QUERY_OPTIONS, queryOf, tableKey } = require('./supabase-query.cjs')

/** Those that `cache.resource()` checks. */
const OTHERS = ['ttlSeconds', 'tags', 'tables', 'fallback', 'loadTimeoutMs']
const NAMES = ['name', ...QUERY_OPTIONS, ...OTHERS]

/** @returns {object} the options for `cache.resource()` */
exports.supabaseResource = (options) => {
  const given = new Options(options, NAMES).known()
  const name = given.get('name')
  const supabase = given.pick(QUERY_OPTIONS)
  queryOf(supabase, isName(name) ? ` of resource ${name}` : '')
  return { ...given.pick(['name', ...OTHERS]), supabase }
}

const byHub = (id) => [`hub:${id}`]

exports.ragContext = readyMade(() => ({
  name: 'rag-context',
  table: 'rag_documents',
  match: 'hub_id',
  ttlSeconds: 3600,
  tags: byHub,
}))

exports.lensConfiguration = readyMade(() => ({
  name: 'lens',
  table: 'lenses',
  match: 'id',
  single: true,
  ttlSeconds: 600,
}))

exports.featureFlag = readyMade(() => ({
  name: 'feature-flag',
  table: 'feature_flags',
  match: 'key',
  single: true,
}))

exports.narrativeGraph = readyMade(({ schema, match = 'hub_id' }) => ({
  name: 'narrative-graph',
  table: 'narrative_nodes',
  select: '*,narrative_edges(*)',
  match,
  tags: byHub,
  tables: { [tableKey(schema, 'narrative_edges')]: idsIn(match) },
}))

/** What is given comes before what is ready. */
function readyMade(defaultsFor) {
  return (overrides = {}) => {
    const given = new Options(overrides, NAMES).known().pick(NAMES)
    return exports.supabaseResource({ ...defaultsFor(given), ...given })
  }
}
