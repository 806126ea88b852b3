// The package for ES modules. Imported as it is, `index.js` would cost the start 5 ms and 5 MB: Node searches it for its
// names.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const addon = loaded()

// As `index.cjs` does, whose reading would cost the start a little too.
function loaded() {
  try {
    return require('./index.js')
  } catch (error) {
    throw require('./load-failure.cjs').loadFailure(error)
  }
}

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
