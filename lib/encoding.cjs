// A value as it crosses to the addon: one letter that says what it is, and its text. What no other program could read back is an
// error that says so, and nothing here throws.
const { types } = require('node:util')
const { kindOf } = require('./errors.cjs')

const LONGEST_MESSAGE = 1000

/** @returns {string} `s` text, `j` JSON, `b` base64, `n` nothing, or `e` as {@link exports.failed} gives it */
exports.encoded = (value) => {
  try {
    if (value === null || value === undefined) return 'n'
    if (typeof value === 'string') return `s${value.toWellFormed()}`
    const bytes = bytesOf(value)
    if (bytes) return `b${bytes.toString('base64')}`
    const json = JSON.stringify(value)
    return json === undefined ? failed(new TypeError(noText(value))) : `j${json}`
  } catch (error) {
    return failed(error)
  }
}

/** Not by `instanceof`: a test runner may have another `Uint8Array` than the values of Node. */
function bytesOf(value) {
  if (types.isUint8Array(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  return types.isAnyArrayBuffer(value) ? Buffer.from(value) : undefined
}

const noText = (value) =>
  `the value is ${kindOf(value)} that JSON has no text for; give a string, bytes, or what JSON can say`

/** What a caller receives for this text, which is none of `e`: its own where it could be changed, frozen where it is not. */
exports.decoded = (text) => {
  const rest = text.slice(1)
  switch (text[0]) {
    case 's':
      return rest
    case 'b':
      return Buffer.from(rest, 'base64')
    case 'j':
      return frozen(JSON.parse(rest))
    default:
      return null
  }
}

function frozen(value) {
  if (typeof value !== 'object' || value === null) return value
  for (const each of Object.values(value)) frozen(each)
  return Object.freeze(value)
}

/** Whatever was thrown: a word for programs, its `code` or name, and the message. */
exports.failed = failed
function failed(error) {
  return `e${JSON.stringify({ word: wordOf(error), message: messageOf(error) })}`
}

/** The same as the `cause` of an error, whose `code` is a word; what was thrown is behind it. */
exports.causeOf = (error) =>
  Object.assign(new Error(messageOf(error), { cause: error }), { code: wordOf(error) })

const isWord = (text) => typeof text === 'string' && /^[\w.-]{1,60}$/.test(text)

function wordOf(error) {
  return [read(error, 'code'), read(error, 'name')].find(isWord) ?? 'Error'
}

function messageOf(error) {
  const message = typeof error === 'string' ? error : read(error, 'message')
  // Of an object no more is asked: a proxy that is over has not even a kind.
  const what = error && typeof error === 'object' ? 'an object' : kindOf(error)
  const text = typeof message === 'string' ? message.toWellFormed() : `${what} was thrown`
  return text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE).toWellFormed()}…`
}

/** A property of what may be anything, a revoked proxy too. */
function read(thrown, property) {
  try {
    return thrown?.[property]
  } catch {
    return undefined
  }
}
