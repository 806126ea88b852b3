// The package for ES modules. Imported as it is, `index.js` would cost the start 5 ms and 5 MB: Node searches it for its
// names.
import { createRequire } from 'node:module'

const addon = createRequire(import.meta.url)('./index.cjs')

export default addon
export const {
  __napiBindingTarget,
  SystemPromptCache,
  assemblePromptContent,
  cache,
  close,
  configure,
  debugSystemPrompt,
  fetchActiveSystemPrompt,
  fetchActiveSystemPromptConfig,
  invalidateSystemPrompt,
  metrics,
  stats,
} = addon
