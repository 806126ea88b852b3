// The stack in a process of its own: PGlite holds its event loop for milliseconds, which must not delay a reader.
// Started by `startProcess`.

import { serveParent } from '../process.mjs'
import { activatePrompt } from '../prompt-edits.mjs'
import { startStack } from '../stack.mjs'
import { nowMs } from './clock.mjs'
import { TABLE, openTruth } from './entries/truth.mjs'
import { OUTAGES, outageSwitch } from './outages.mjs'
import { payloadOf } from './prompt.mjs'
import { randomOf, shuffled } from './random.mjs'

/** The replica's, one after the other: less than a read of the store may take, more than that, and more than the bound. */
const LAGS_MS = [50, 300, 700, 1500]
const LAG_CHANGES_EVERY_MS = 1900

const truth = openTruth()
let stack
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

function changeLag(replica, random) {
  let lags = []
  setInterval(() => {
    if (lags.length === 0) lags = shuffled(LAGS_MS, random)
    replica.setLag(lags.pop())
  }, LAG_CHANGES_EVERY_MS)
}

serveParent({
  /** `replica`: whether reads of the store are answered by one that lags, now less and now more. */
  async start({ seed, sourceMs: { least, most }, replica = false }) {
    const tables = { [TABLE]: (url, response) => truth.answer(url, response) }
    stack = await startStack({ tables, ...(replica && { replica: { lagMs: LAGS_MS[0] } }) })
    if (replica) changeLag(stack.replica, randomOf(seed + 4))
    const random = randomOf(seed)
    // Drawn for each request, and shared out between its two ways: a row may be old before its answer is here, as it
    // may over a network.
    let leftMs = 0
    const { upstash, supabase } = stack
    outages = outageSwitch(
      { upstash, source: supabase },
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
    return { environment: stack.environment, store: stack.store.kind }
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
      sourceReads: stack.supabase.requests - truth.requests,
      entryReads: truth.requests,
    }
  },
})
