// The lenses, one entry each, that the server shares besides its prompt: their routes, and the webhook by which Supabase tells
// that a row of theirs has changed.

import express from 'express'
import { lensConfiguration } from 'grove-shared-cache'

/** Served where neither Redis nor Supabase has an answer. Never stored. */
const PLAIN_LENS = { id: 'plain', title: 'No lens', payload: {} }
const LENSES_KEPT = 10
const CHANGES_KEPT = 20

/**
 * The resources of this server, in the cache that has its prompt: all of it shares one stream and one lease.
 *
 * @param {import('grove-shared-cache').SharedCache} cache
 */
export function openResources(cache) {
  return { cache, lens: cache.resource(lensConfiguration({ fallback: PLAIN_LENS })) }
}

/**
 * Their routes, and what they tell the console.
 *
 * @param {ReturnType<typeof openResources>} resources
 */
export function createResourceRoutes({ cache, lens }) {
  const served = new Map()
  const changes = []
  const tell = (change) => {
    changes.push({ at: Date.now(), ...change })
    if (changes.length > CHANGES_KEPT) changes.shift()
  }

  // Has to come before anything that reads the body: a signature is one of the bytes that were sent. It needs no token: the
  // package wants the secret.
  const webhooks = express.Router()
  const raw = express.raw({ type: '*/*', limit: '1mb' })
  webhooks.post('/hooks/supabase', raw, async (request, response, next) => {
    try {
      const { status, body } = await cache.handleSupabaseWebhook(request)
      if (status === 200) {
        const { type, table } = JSON.parse(request.body)
        tell({ by: 'webhook', what: `${type} ${table}`, ...body.invalidated })
      }
      response.status(status).json(body)
    } catch (error) {
      next(error)
    }
  })

  const router = express.Router()
  router.get('/api/lens/:id', async (request, response, next) => {
    const { id } = request.params
    try {
      const { value, tier, generation } = await lens.getEntry(id)
      if (value === null) return response.status(404).json({ error: 'There is no such lens' })
      served.delete(id)
      served.set(id, { at: Date.now(), id, title: value.title, tier, generation })
      if (served.size > LENSES_KEPT) served.delete(served.keys().next().value)
      response.json({ lens: value, tier, generation })
    } catch (error) {
      if (error.code !== 'ARGUMENT_INVALID') return next(error)
      response.status(400).json({ error: 'An id has 1 to 512 bytes' })
    }
  })

  return {
    webhooks,
    router,
    /** Drops lenses everywhere: these, or all of them. @param {string[]} [ids] */
    async invalidate(ids, options) {
      const receipt = ids ? await lens.invalidate(ids, options) : await lens.invalidateAll(options)
      const what = ids ? ids.join(', ') : 'all lenses'
      tell({ by: 'route', what, entries: ids?.length ?? 0, resources: ids ? 0 : 1, tags: 0 })
      return receipt
    },
    /** For the console, with how long ago it was; the newest first. */
    state() {
      const now = Date.now()
      const aged = (kept) => kept.map(({ at, ...rest }) => ({ agoMs: now - at, ...rest }))
      return {
        lenses: aged([...served.values()].toReversed()),
        changes: aged(changes.toReversed()),
      }
    },
  }
}
