// The stack in a process of its own: PGlite holds its event loop for milliseconds, which must not delay a reader.
// Started by `startProcess`.

import { serveParent } from '../process.mjs'
import { activatePrompt } from '../prompt-edits.mjs'
import { startStack } from '../stack.mjs'
import { nowMs } from './clock.mjs'
import { startTruth } from './entries/truth.mjs'
import { OUTAGES, outageSwitch } from './outages.mjs'
import { payloadOf } from './prompt.mjs'
import { randomOf } from './random.mjs'

let stack
let truth
let outages
let edits = 0
let editing = Promise.resolve()

/** Both steps of the console's edit; one edit after the other, or the second would find no row to archive. */
async function edit() {
  const fromMs = nowMs()
  const version = edits + 1
  await activatePrompt(stack.sql, { title: `Edit ${version}`, payload: payloadOf(version) })
  edits = version
  return { version, fromMs, committedMs: nowMs() }
}

serveParent({
  async start({ seed, sourceMs: { least, most } }) {
    stack = await startStack()
    truth = await startTruth()
    const random = randomOf(seed)
    // Drawn for each request, and shared out between its two ways: a row may be old before its answer is here, as it
    // may over a network.
    let leftMs = 0
    const { upstash, supabase } = stack
    outages = outageSwitch(
      { upstash, sources: [supabase, truth] },
      {
        kind: 'delay',
        get ms() {
          const wholeMs = least + random() * (most - least)
          leftMs = wholeMs * random()
          return wholeMs - leftMs
        },
        get afterMs() {
          return leftMs
        },
      },
    )
    return { environment: stack.environment, truthUrl: truth.url, store: stack.store.kind }
  },

  edit() {
    const done = editing.then(edit)
    editing = done.catch(() => {})
    return done
  },

  /** Edits of entries, by their numbers. */
  editEntries: (numbers) => truth.edit(numbers),

  beginOutage(name) {
    const fromMs = nowMs()
    outages.begin(OUTAGES[name])
    return fromMs
  },

  endOutage() {
    outages.end()
    return nowMs()
  },

  counters() {
    return {
      storeCommands: stack.upstash.commands,
      sourceReads: stack.supabase.requests,
      entryReads: truth.requests,
    }
  },
})
