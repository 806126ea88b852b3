// One instance of a fleet that hears of changes from the database: a server with the webhook's route, which also reads. Started by
// `startProcess`.

import express from 'express'
import { SharedCache, supabaseResource } from 'grove-shared-cache'
import { setTimeout as wait } from 'node:timers/promises'

import { optionsOf } from '../cache-options.mjs'
import { serve } from '../loopback.mjs'
import { serveParent } from '../process.mjs'
import { nowMs } from '../storm/clock.mjs'

/** Between two reads of one entry: no answer is older than this when it is told. */
const READ_EVERY_MS = 1

let cache
const resources = {}
const watched = new Map()

/** The documents of a hub, mapped by itself; their number, which has no map and hears by its tag. */
function define(environment) {
  resources.documents = cache.resource(
    supabaseResource({
      name: 'documents',
      table: 'documents',
      select: 'id,body',
      match: 'hub_id',
      order: 'id',
      ttlSeconds: 3600,
    }),
  )
  resources.count = cache.resource({
    name: 'document-count',
    ttlSeconds: 3600,
    tags: ['table:public.documents'],
    async load(id, { signal }) {
      const key = environment.SUPABASE_SERVICE_ROLE_KEY
      const answer = await fetch(`${environment.SUPABASE_URL}/rest/v1/documents?select=id`, {
        headers: { apikey: key, authorization: `Bearer ${key}` },
        signal,
      })
      return (await answer.json()).length
    },
  })
}

function application() {
  const app = express()
  app.use(express.raw({ type: 'application/json', limit: '1mb' }))
  app.post('/webhooks/supabase', async (request, response) => {
    const fromMs = nowMs()
    const { status, body } = await cache.handleSupabaseWebhook(request)
    process.send({ told: { webhook: { status, fromMs, toMs: nowMs() } } })
    response.status(status).json(body)
  })
  return app
}

async function readForEver(resource, id, stopping) {
  let last
  while (!stopping.aborted) {
    const value = JSON.stringify(await resources[resource].get(id).catch(({ code }) => code))
    if (value !== last) process.send({ told: { resource, id, value, atMs: nowMs() } })
    last = value
    await wait(READ_EVERY_MS)
  }
}

serveParent({
  /** @returns {Promise<string>} where webhooks are posted to */
  async start({ environment, keyPrefix, secret }) {
    const own = { webhookSecret: secret, logLevel: 'silent' }
    cache = new SharedCache(optionsOf({ environment, keyPrefix }, own))
    define(environment)
    const { url } = await serve(application())
    return `${url}/webhooks/supabase`
  },

  /** Reads an entry all the time, and tells each value that differs from the last one. */
  watch({ resource, id }) {
    const stopping = new AbortController()
    const reading = readForEver(resource, id, stopping.signal)
    watched.set(`${resource} ${id}`, { stopping, reading })
  },

  stats: () => cache.stats(),

  async stop() {
    for (const { stopping, reading } of watched.values()) {
      stopping.abort()
      await reading
    }
    await cache.close()
  },
})
