// The routes. All that concerns the prompt is three calls: fetch, invalidate, debug. Those of the lenses and Supabase's webhook are in
// resources.mjs, the console's in console.mjs.

import { createHash, randomUUID } from 'node:crypto'
import express from 'express'
import {
  debugSystemPrompt,
  fetchActiveSystemPromptConfig,
  invalidateSystemPrompt,
} from 'grove-shared-cache'

import { adminOnly } from './admin.mjs'
import { createConsole } from './console.mjs'
import { createResourceRoutes } from './resources.mjs'

const SESSIONS_KEPT = 1000
// By then the lease of an instance that says nothing is over, with the default `maxStalenessMs`.
const PROVEN_WITHIN_MS = 1000

/**
 * The Express application, not listening yet.
 *
 * @param {ReturnType<typeof import('./resources.mjs').openResources>} resources
 * @param {{ adminToken?: string, proxies?: number, editUrl?: string }} [options] `adminToken`: what the admin routes ask for; without
 *   one they are open. `proxies`: how many stand in front of this server, so that the rate limit sees the client's address.
 *   `editUrl`: where the console posts an edited prompt; without it the console edits nothing
 */
export function createApp(resources, { adminToken, proxies = 0, editUrl } = {}) {
  const app = express()
  const sessions = new Map()
  const shared = createResourceRoutes(resources)
  const operators = createConsole({ adminToken, editUrl, resources: shared.state })
  app.set('trust proxy', proxies)
  app.use(shared.webhooks)
  app.use(express.json())

  app.get('/healthz', (request, response) => response.json({ status: 'ok' }))

  // A chat begins: it gets the prompt that is active now, and keeps it.
  app.post('/api/chat/init', async (request, response, next) => {
    try {
      const began = performance.now()
      const prompt = await fetchActiveSystemPromptConfig()
      const systemPromptMs = Number((performance.now() - began).toFixed(2))
      operators.tookRead(prompt.tier, systemPromptMs)

      const sessionId = randomUUID()
      sessions.set(sessionId, { systemPrompt: prompt.content, messages: [] })
      if (sessions.size > SESSIONS_KEPT) sessions.delete(sessions.keys().next().value)

      // Enough to tell which prompt the chat got. The prompt itself stays on the server.
      const { source, tier, version, title, generation, responseMode, closingBehavior, content } =
        prompt
      const sha256 = createHash('sha256').update(content).digest('hex').slice(0, 12)
      const served = { source, tier, version, title, generation, responseMode, closingBehavior }
      response.json({ sessionId, ...served, contentLength: content.length, sha256, systemPromptMs })
    } catch (error) {
      next(error)
    }
  })

  // The admin console calls this after it has changed the row. One instance gets the call, all of them get the change.
  app.post('/api/cache/invalidate', adminOnly(adminToken), async (request, response) => {
    const type = request.body?.type ?? ''
    if (typeof type !== 'string')
      return response.status(400).json({ error: 'type is not a string' })
    const ids = request.body?.ids
    if (ids !== undefined && !isIds(ids))
      return response.status(400).json({ error: 'ids are not 1 to 100 strings' })
    if (!['', 'system-prompt', 'lens'].includes(type)) {
      return response.json({
        success: true,
        message: `Nothing to invalidate for type "${type}"`,
        invalidated: null,
      })
    }
    try {
      const proof = { wait: 'all', timeoutMs: PROVEN_WITHIN_MS }
      const receipt =
        type === 'lens' ? await shared.invalidate(ids, proof) : await invalidateSystemPrompt(proof)
      if (type !== 'lens') operators.invalidated(receipt)
      response.json({
        success: true,
        message: 'Cache invalidated',
        invalidated: type || 'all',
        ...receipt,
      })
    } catch ({ code, retryable }) {
      // The package has logged why. Other instances may still serve what is old: the caller should try again.
      response.status(500).json({ error: 'Cache invalidation failed', code, retryable })
    }
  })

  // Shows the whole prompt.
  app.get('/api/debug/system-prompt', adminOnly(adminToken), async (request, response, next) => {
    try {
      response.json(await debugSystemPrompt())
    } catch (error) {
      next(error)
    }
  })

  app.use(shared.router)
  app.use(operators.router)

  // Four parameters make it Express' error handler. A broken body carries its status: 400, 413, 415.
  app.use((error, request, response, next) => {
    if (response.headersSent) return next(error)
    const { status = 500, type } = error
    if (status >= 500) console.error(error)
    const expected = type === 'entity.parse.failed' ? 'the body is not JSON' : error.message
    response.status(status).json({ error: status >= 500 ? 'Internal server error' : expected })
  })

  return app
}

function isIds(ids) {
  const fit = (id) => typeof id === 'string' && id !== '' && Buffer.byteLength(id) <= 512
  return Array.isArray(ids) && ids.length > 0 && ids.length <= 100 && ids.every(fit)
}
