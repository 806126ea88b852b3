// The default instance, one for each program (the main thread, a worker), and the functions that are its methods. From the environment
// variables alone, unless `configure()` was called.
const { SharedCache } = require('./cache.cjs')

let current = new SharedCache()
let { systemPrompt } = current

exports.sharedCache = () => current

exports.configure = (options) => {
  if (options === undefined) {
    const { optionsInvalid } = require('./errors.cjs')
    throw optionsInvalid('undefined')
  }
  const replaced = current
  current = new SharedCache(options)
  systemPrompt = current.systemPrompt
  SharedCache.replace(replaced)
  return current
}

exports.fetchActiveSystemPrompt = () => systemPrompt.fetchActiveSystemPrompt()
exports.fetchActiveSystemPromptConfig = () => systemPrompt.fetchActiveSystemPromptConfig()
exports.invalidateSystemPrompt = (options) => systemPrompt.invalidateSystemPrompt(options)
exports.debugSystemPrompt = () => systemPrompt.debugSystemPrompt()
exports.stats = () => current.stats()
exports.metrics = () => current.metrics()
exports.close = () => current.close()
exports.cache = Object.freeze({
  get: (key) => current.get(key),
  set: (key, value, ttlSeconds) => current.set(key, value, ttlSeconds),
  del: (key) => current.del(key),
})
