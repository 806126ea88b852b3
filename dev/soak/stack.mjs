// The stack in a process of its own, so that what is measured is the cache's alone. Started by `startProcess`.

import { serveParent } from '../process.mjs'
import { activatePrompt } from '../prompt-edits.mjs'
import { startStack } from '../stack.mjs'

let stack

serveParent({
  async start() {
    stack = await startStack()
    await activatePrompt(stack.sql, { title: 'Soak', payload: { identity: 'soaked' } })
    return { environment: stack.environment, store: stack.store.kind }
  },

  /** From now on each push stream of these keys is confirmed and ended, over and over. */
  endStreams({ keyPrefix }) {
    stack.upstash.faults.set({
      kind: 'status',
      code: 200,
      contentType: 'text/event-stream',
      body: `data: subscribe,${keyPrefix}:events,1\n\n`,
      match: ({ url }) => url.startsWith('/subscribe'),
    })
  },

  clear() {
    stack.upstash.faults.clear()
  },
})
