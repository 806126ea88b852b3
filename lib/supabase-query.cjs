// What a resource reads of Supabase.
const { kindOf, shown } = require('./errors.cjs')
const { checked, isText } = require('./option-rules.cjs')
const { queryOptions } = require('./option-schema.cjs')
const { isPlain, Options } = require('./options.cjs')

/** Of PostgreSQL. */
const MAX_COLUMN_BYTES = 63

exports.QUERY_OPTIONS = queryOptions.map(({ name }) => name)

/** A table as the keys of `tables` name it. */
exports.tableKey = (schema, table) =>
  schema === undefined || schema === 'public' ? table : `${schema}.${table}`

/**
 * The map of a table whose rows have the id in a column. A row without it may be of any entry: `match` is a path into JSON, or the
 * webhook sends other columns alone.
 */
exports.idsIn = (column) => (row) => {
  if (Object.hasOwn(row, column)) return row[column]
  throw new Error(`the row has no column ${column}`)
}

/**
 * @param {object} given checked here
 * @param {string} whose as for {@link Options}
 * @returns {object} as the addon takes it
 */
exports.queryOf = (given, whose) => {
  const query = { select: '*', single: false, ...checked(given, queryOptions, whose) }
  return { ...query, where: conditions(new Options(given, exports.QUERY_OPTIONS, whose)) }
}

/** `{ status: 'active' }` as pairs of texts. */
function conditions(options) {
  const where = options.get('where')
  if (where === undefined) return []
  if (!isPlain(where))
    throw options.refusal('where', kindOf(where), 'must be an object of columns and their values')
  return Object.entries(where)
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => {
      if (!isText(column, MAX_COLUMN_BYTES))
        throw options.refusal('where', 'an object with a wrong key', 'must have names of columns')
      const says = typeof value === 'string' ? value.isWellFormed() : isFlatValue(value)
      if (says) return [column, String(value)]
      const rule = 'must be a well-formed string, a finite number or a boolean'
      throw options.refusal(
        `where.${column}`,
        typeof value === 'number' ? shown(value) : kindOf(value),
        rule,
      )
    })
}

const isFlatValue = (value) => typeof value === 'boolean' || Number.isFinite(value)
