// An invalidation as the addon is asked for it.
const { argumentInvalid, shown } = require('./errors.cjs')
const { settled } = require('./native.cjs')
const { Options } = require('./options.cjs')

const MAX_TIMEOUT_MS = 3_600_000

/**
 * @param {import('./core.cjs').Core} core
 * @param {string} targets JSON
 * @param {{ wait?: 'commit' | 'all', timeoutMs?: number }} [given]
 * @returns {Promise<object>} an `InvalidationReceipt`
 */
exports.invalidated = async (core, targets, given) => {
  const { prove, timeoutMs } = waitOf(given)
  const { native } = core
  // What the prompt's invalidation loads anew, the addon has to know.
  core.prompt()
  return settled(native.invalidate(targets, prove, timeoutMs))
}

function waitOf(given = {}) {
  try {
    const options = new Options(given, ['wait', 'timeoutMs']).known()
    const wait = options.typed('wait', 'string') ?? 'commit'
    const timeoutMs = options.whole('timeoutMs', 1, MAX_TIMEOUT_MS)
    if (wait !== 'commit' && wait !== 'all')
      throw options.refusal('wait', shown(wait), "must be 'commit' or 'all'")
    if (wait === 'commit' && timeoutMs !== undefined)
      throw options.refusal('timeoutMs', 'given', "must come with wait: 'all'")
    return { prove: wait === 'all', timeoutMs }
  } catch (error) {
    // Of a call, not of a configuration.
    throw argumentInvalid(error.message)
  }
}
