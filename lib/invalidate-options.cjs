// The options of an invalidation.
const { argumentInvalid, CacheError } = require('./errors.cjs')
const { checked } = require('./option-rules.cjs')
const { invalidateOptions } = require('./option-schema.cjs')

/**
 * @param {unknown} given
 * @returns {{ wait: 'commit' | 'all', timeoutMs: number | null }}
 * @throws {CacheError} `ARGUMENT_INVALID`
 */
exports.checkedInvalidateOptions = (given) => {
  const { wait = 'commit', timeoutMs = null } = given === undefined ? {} : read(given)
  if (timeoutMs !== null && wait !== 'all')
    throw argumentInvalid("option timeoutMs is given: it must come with wait: 'all'")
  return { wait, timeoutMs }
}

/** They are an argument of a call, not the configuration. */
function read(given) {
  try {
    return checked(given, invalidateOptions)
  } catch (error) {
    throw error instanceof CacheError ? argumentInvalid(error.message) : error
  }
}
