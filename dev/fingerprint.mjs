// How a prompt is recognised from outside: by the hash that the example's chat route answers with.

import { createHash } from 'node:crypto'
import { assemblePromptContent } from 'grove-shared-cache'

/** The `sha256` of a chat that got the prompt with this payload. */
export function fingerprintOf(payload) {
  return createHash('sha256').update(assemblePromptContent(payload)).digest('hex').slice(0, 12)
}
