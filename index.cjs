// The package for CommonJS: the generated loader, with an error that says what to do. The one of the loader blames a bug of npm,
// whatever happened. And the part of the package that is JavaScript, of which a start reads no more than it must: all of it
// would cost 4 ms.
const { __sharedCache, ...addon } = loaded()
const { sharedCache } = require('./lib/shared-cache.cjs')
const resources = () => require('./lib/supabase-resource.cjs')

module.exports = {
  ...addon,
  SharedCache: sharedCache({ __sharedCache }),
  supabaseResource: (options) => resources().supabaseResource(options),
  ragContext: (overrides) => resources().ragContext(overrides),
  lensConfiguration: (overrides) => resources().lensConfiguration(overrides),
  featureFlag: (overrides) => resources().featureFlag(overrides),
  narrativeGraph: (overrides) => resources().narrativeGraph(overrides),
}

function loaded() {
  try {
    return require('./index.js')
  } catch (error) {
    throw require('./load-failure.cjs').loadFailure(error)
  }
}
