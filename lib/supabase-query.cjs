// What a resource reads of Supabase.
const { kindOf, shown } = require('./errors.cjs')
const { isPlain, Options } = require('./options.cjs')

exports.QUERY_OPTIONS = ['table', 'schema', 'select', 'match', 'where', 'order', 'limit', 'single']

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

/** As PostgreSQL has it. */
const MAX_NAME_BYTES = 63
const MAX_TEXT_BYTES = 4096
const MAX_ROWS = 1_000_000

/**
 * @param {object} given checked here
 * @param {string} whose as for {@link Options}
 * @returns {object} as the addon takes it
 */
exports.queryOf = (given, whose) => {
  const options = new Options(given, exports.QUERY_OPTIONS, whose).known()
  return {
    table: needed(options, 'table', MAX_NAME_BYTES),
    schema: text(options, 'schema', MAX_NAME_BYTES),
    select: text(options, 'select', MAX_TEXT_BYTES) ?? '*',
    match: needed(options, 'match', MAX_NAME_BYTES),
    where: conditions(options),
    order: text(options, 'order', MAX_TEXT_BYTES),
    limit: options.whole('limit', 1, MAX_ROWS),
    single: options.typed('single', 'boolean') ?? false,
  }
}

function needed(options, option, most) {
  const value = text(options, option, most)
  if (value !== undefined) return value
  throw options.refusal(option, 'undefined', 'must be a string')
}

function text(options, option, most) {
  const value = options.typed(option, 'string')
  if (value === undefined || isText(value, most)) return value
  throw options.refusal(option, shown(value), `must be a well-formed string of 1 to ${most} bytes`)
}

const isText = (value, most) =>
  value !== '' && Buffer.byteLength(value) <= most && value.isWellFormed()

/** `{ status: 'active' }` as pairs of texts. */
function conditions(options) {
  const where = options.get('where')
  if (where === undefined) return []
  if (!isPlain(where))
    throw options.refusal('where', kindOf(where), 'must be an object of columns and their values')
  return Object.entries(where)
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => {
      if (!isText(column, MAX_NAME_BYTES))
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
