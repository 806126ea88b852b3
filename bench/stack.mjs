// The stack in a process of its own, with the prompt in its database. Started by `startProcess`.

import { serveParent } from '../dev/process.mjs'
import { activatePrompt } from '../dev/prompt-edits.mjs'
import { startStack } from '../dev/stack.mjs'
import { PAYLOAD, PROMPT } from './prompt.mjs'

let stack

serveParent({
  /** @param {{ key: string }} options where the prompt lies as a plain string that does not expire */
  async start({ key }) {
    stack = await startStack()
    await activatePrompt(stack.sql, { title: 'Measured', payload: PAYLOAD })
    await stack.redis.set(key, PROMPT)
    return { environment: stack.environment, store: stack.store.kind }
  },

  /** Commands that Upstash would have billed so far. */
  commands: () => stack.upstash.commands,

  async remove(keys) {
    await stack.redis.del(...keys)
  },
})
