// The package for CommonJS. What few programs use is read when they do.
const { addon, called } = require('./lib/native.cjs')
const { SharedCache } = require('./lib/cache.cjs')
const resources = () => require('./lib/supabase-resource.cjs')

module.exports = {
  ...require('./lib/default-cache.cjs'),
  SharedCache,
  assemblePromptContent: (payload) => called(() => addon.assemblePromptContent(payload)),
  supabaseResource: (options) => resources().supabaseResource(options),
  ragContext: (overrides) => resources().ragContext(overrides),
  lensConfiguration: (overrides) => resources().lensConfiguration(overrides),
  featureFlag: (overrides) => resources().featureFlag(overrides),
  narrativeGraph: (overrides) => resources().narrativeGraph(overrides),
}

module.exports.CacheError = require('./lib/errors.cjs').CacheError
