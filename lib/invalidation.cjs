// An invalidation as the addon is asked for it.
const { checkedInvalidateOptions } = require('./invalidate-options.cjs')
const { settled } = require('./native.cjs')

/**
 * @param {import('./core.cjs').Core} core
 * @param {string} targets JSON
 * @param {{ wait?: 'commit' | 'all', timeoutMs?: number }} [options]
 * @returns {Promise<object>} an `InvalidationReceipt`
 */
exports.invalidated = async (core, targets, options) => {
  const { wait, timeoutMs } = checkedInvalidateOptions(options)
  const { native } = core
  // What the prompt's invalidation loads anew, the addon has to know.
  core.prompt()
  const receipt = await settled(native.invalidate(targets, wait === 'all', timeoutMs))
  // In the order of the types: people read it.
  const { generation, shared, committedAt, instances, provenAfterMs } = receipt
  return { generation, shared, committedAt, instances, provenAfterMs }
}
