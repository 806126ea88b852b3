// Errors of the shape that the addon's have, and the words in which they speak of a value. None shows more of what was given than
// a word of the program.

/** How many characters of a string that is wrong are shown. */
const LONGEST_SHOWN = 40

exports.configInvalid = (option, found, rule) =>
  failure('CONFIG_INVALID', `option ${option} is ${found}: it ${rule}`)

exports.optionsInvalid = (found) =>
  failure('CONFIG_INVALID', `options are ${found}: they must be an object`)

exports.argumentInvalid = (message) => failure('ARGUMENT_INVALID', message)

function failure(code, message) {
  return Object.assign(new Error(message), { code, retryable: false })
}

/** The type of a value with its article, and never the value. */
exports.kindOf = (value) => {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** A name or a number that a program has in its text. */
exports.shown = (value) => {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return exports.kindOf(value)
  return value.length <= LONGEST_SHOWN ? JSON.stringify(value) : 'a longer string'
}
exports.CacheError = class CacheError extends Error {
  constructor(code, message, { retryable = false, cause } = {}) {
    super(message)
    this.name = 'CacheError'
    this.code = code
    this.retryable = retryable
    if (cause) this.cause = cause
  }
}
exports.fromNative = ({ code, message, retryable, cause }) =>
  new exports.CacheError(code, message, {
    retryable,
    cause: cause && Object.assign(new Error(cause.message), { code: cause.code }),
  })
