// A fleet of processes over a database that tells them of its changes: SQL in, what each instance serves out.

import { randomBytes, randomUUID } from 'node:crypto'

import { startProcess } from '../process.mjs'

const STACK = new URL('stack.mjs', import.meta.url)
const INSTANCE = new URL('instance.mjs', import.meta.url)
const SEEN_WITHIN_MS = 10_000

/**
 * Starts it. The first instance is the one that webhooks are posted to.
 *
 * @param {{ size: number }} options
 */
export async function startFleet({ size }) {
  const secret = randomBytes(32).toString('hex')
  const keyPrefix = `webhooks-${randomUUID()}`
  const stack = startProcess(STACK, { name: 'the stack' })
  const sightings = Array.from({ length: size }, () => new Sightings())
  const webhooks = []
  const instances = sightings.map((sighting, index) =>
    startProcess(INSTANCE, {
      name: `instance ${index}`,
      onTold: ({ webhook, ...seen }) => (webhook ? webhooks.push(webhook) : sighting.add(seen)),
    }),
  )
  const stop = async () => {
    await Promise.all([stack, ...instances].map((process) => process.stop()))
  }
  let urls
  try {
    const { environment } = await stack.ask('start')
    urls = await Promise.all(
      instances.map((instance) => instance.ask('start', { environment, keyPrefix, secret })),
    )
    await stack.ask('configure', { url: urls[0], secret })
  } catch (error) {
    await stop()
    throw error
  }

  return {
    url: urls[0],
    secret,
    /** @type {{ status: number, fromMs: number, toMs: number }[]} that an instance has answered */
    webhooks,
    commit: (text) => stack.ask('commit', text),
    rollBack: (text) => stack.ask('rollBack', text),
    answers: () => stack.ask('answers'),
    watch: (resource, id) =>
      Promise.all(instances.map((instance) => instance.ask('watch', { resource, id }))),
    /** When each instance served this for the first time since it last served something else; null if it did not. */
    seen: (resource, id, value) =>
      Promise.all(sightings.map((sighting) => sighting.of(resource, id, JSON.stringify(value)))),
    /** What each instance has served of an entry, in its order. */
    history: (resource, id) => sightings.map((sighting) => sighting.history(resource, id)),
    stats: () => Promise.all(instances.map((instance) => instance.ask('stats'))),
    async stop() {
      // One that ended by itself has nothing to close.
      await Promise.allSettled(instances.map((instance) => instance.ask('stop')))
      await stop()
    },
  }
}

/** What one instance has served. */
class Sightings {
  #seen = []
  #changed = () => {}
  #change = this.#next()

  add(seen) {
    this.#seen.push(seen)
    this.#changed()
    this.#change = this.#next()
  }

  history(resource, id) {
    return this.#of(resource, id).map(({ value }) => JSON.parse(value))
  }

  /** Waits until the last thing served of an entry is this. @returns {Promise<number | null>} when it was served first */
  async of(resource, id, value) {
    const over = AbortSignal.timeout(SEEN_WITHIN_MS)
    const gaveUp = new Promise((resolve) => {
      over.addEventListener('abort', resolve)
    })
    while (!over.aborted) {
      const last = this.#of(resource, id).at(-1)
      if (last?.value === value) return last.atMs
      await Promise.race([this.#change, gaveUp])
    }
    return null
  }

  #of(resource, id) {
    return this.#seen.filter((seen) => seen.resource === resource && seen.id === id)
  }

  #next() {
    return new Promise((resolve) => {
      this.#changed = resolve
    })
  }
}
