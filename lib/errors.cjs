// The errors of the package, and the words in which they describe a value. No message shows more of a value than a name or a
// number that stands in the program's text.

/** How many characters of a wrong string are shown. */
const LONGEST_SHOWN = 40

/** What a call of the package throws or rejects with. */
exports.CacheError = class CacheError extends Error {
  static {
    // On the prototype, as the built-in errors have it, and before the first stack is captured.
    const name = { value: 'CacheError', configurable: true, writable: true }
    Object.defineProperty(this.prototype, 'name', name)
  }

  /**
   * @param {string} code
   * @param {string} message
   * @param {{ retryable?: boolean, cause?: unknown }} [options] `retryable`: whether the same call may succeed later without a
   *   change to the program, its options or the store. Default: false
   */
  constructor(code, message, { retryable = false, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
  }
}

exports.configInvalid = (option, found, rule) =>
  new exports.CacheError('CONFIG_INVALID', `option ${option} is ${found}: it ${rule}`)

exports.optionsInvalid = (found) =>
  new exports.CacheError('CONFIG_INVALID', `options are ${found}: they must be an object`)

exports.argumentInvalid = (message) => new exports.CacheError('ARGUMENT_INVALID', message)

/**
 * An error that the addon describes.
 *
 * @param {{ code: string, message: string, retryable: boolean, cause?: { code: string, message: string } }} described
 * @returns {CacheError} its cause is an `Error` with a `code`
 */
exports.fromNative = ({ code, message, retryable, cause }) => {
  return new exports.CacheError(code, message, {
    retryable,
    cause: cause ? Object.assign(new Error(cause.message), { code: cause.code }) : undefined,
  })
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
