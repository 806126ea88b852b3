// `npm start`: see `usage`. Node's own modules only until the machine is set up; the rest is imported then.

import { argumentsOf, refuse } from './arguments.mjs'
import { setUp } from './setup.mjs'

const usage = `Shows one prompt shared by three Express instances: starts a local store and source and the instances,
edits the prompt, invalidates it through one instance, and measures when each of them serves the new one; then a lens,
of which the webhook tells one instance.
Then it stays up to be played with, until Ctrl-C; the console of the instances is the place for that.

  npm start                     starts everything
  npm start -- --once           ends after the run: status 0 if all instances changed within a second, else 1
  npm start -- --embedded       an in-process store even where redis-server is installed

With UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN set, the store is yours; with SUPABASE_URL and
SUPABASE_SERVICE_ROLE_KEY set, the source is yours, and is only read.`

const options = {
  once: { type: 'boolean', default: false },
  embedded: { type: 'boolean', default: false },
}

const STOP_WITHIN_MS = 12_000
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

/** How to stop what is up, in the order in which it came up. */
const stops = []
let stopping = false

const { once, embedded } = argumentsOf('npm start', usage, options)
await setUp({ redis: 'optional' })
const { problemOf } = await import('./backends.mjs')
const problem = problemOf(process.env)
if (problem) refuse(problem)

// Only now: while a program of the set-up runs, the usual effect of Ctrl-C is the right one.
let staying = false
for (const [signal, status] of Object.entries(SIGNALS))
  process.on(signal, () => end(staying ? 0 : status))

try {
  const { runDemo } = await import('./demo.mjs')
  const run = await runDemo({
    environment: process.env,
    embedded,
    onStarted: (stop) => stops.push(stop),
  })
  if (once) {
    await end(run.passed ? 0 : 1)
  } else {
    const { printInvitation } = await import('./invitation.mjs')
    printInvitation(run)
    if (run.backends.store.local) {
      const { startVisitors } = await import('./visitors.mjs')
      stops.push(startVisitors(run.instances))
    }
    staying = true
  }
} catch (error) {
  if (!stopping) {
    console.error(`\n${error.message}`)
    await end(1)
  }
}

/** Stops what is up, the last first, and ends. What is only starting ends with this process, however it ends. */
async function end(status) {
  if (stopping) return
  stopping = true
  setTimeout(() => process.exit(status || 1), STOP_WITHIN_MS).unref()
  console.log('\nStopping')
  while (stops.length > 0)
    await stops
      .pop()()
      .catch((error) => console.error(error.message))
  process.exit(status)
}
