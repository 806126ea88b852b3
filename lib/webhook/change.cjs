// The change that a webhook tells of.
const { Refusal } = require('./refusal.cjs')

const TYPES = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']
/** Postgres cuts names off there. */
const LONGEST_NAME = 63

/**
 * @param {{ bytes?: Buffer, parsed?: object }} body
 * @returns {{ type: string, table: string, schema: string, record: object | null, old_record: object | null, partial: boolean }}
 *   `partial`: whether the rows lack what was too large
 */
exports.changeIn = ({ bytes, parsed = read(bytes) }) => {
  const { type, table, schema, record = null, old_record = null, partial = false } = parsed ?? {}
  if (!TYPES.includes(type)) throw new Refusal(400, `type is none of ${TYPES.join(', ')}`)
  if (!isName(table)) throw new Refusal(400, 'table is not the name of a table')
  if (!isName(schema)) throw new Refusal(400, 'schema is not the name of a schema')
  if (!isRow(record)) throw new Refusal(400, 'record is not a row')
  if (!isRow(old_record)) throw new Refusal(400, 'old_record is not a row')
  return { type, table, schema, record, old_record, partial: partial === true }
}

function read(bytes) {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    throw new Refusal(400, 'the body is not JSON')
  }
}

const isName = (name) =>
  typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME && name.isWellFormed()

const isRow = (row) => row === null || (typeof row === 'object' && !Array.isArray(row))
