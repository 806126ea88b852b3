// The package for ES modules. Imported as it is, `index.cjs` would cost the start 5 ms and 5 MB: Node searches it for its
// names.
import { createRequire } from 'node:module'

const whole = createRequire(import.meta.url)('./index.cjs')

export default whole
export const {
  CacheError,
  SharedCache,
  assemblePromptContent,
  cache,
  close,
  configure,
  debugSystemPrompt,
  featureFlag,
  fetchActiveSystemPrompt,
  fetchActiveSystemPromptConfig,
  invalidateSystemPrompt,
  lensConfiguration,
  metrics,
  narrativeGraph,
  ragContext,
  sharedCache,
  stats,
  supabaseResource,
} = whole
