// The routes. All that concerns the cache is three calls: fetch, invalidate, debug. The console's are in console.mjs.

import { createHash, randomUUID } from 'node:crypto'
import express from 'express'
import {
  debugSystemPrompt,
  fetchActiveSystemPromptConfig,
  invalidateSystemPrompt,
} from 'grove-shared-cache'

import { adminOnly } from './admin.mjs'
import { createConsole } from './console.mjs'

const SESSIONS_KEPT = 1000
// By then the lease of an instance that says nothing is over, with the default `maxStalenessMs`.
const PROVEN_WITHIN_MS = 1000

/**
 * The Express application, not listening yet.
 *
 * @param {{ adminToken?: string, proxies?: number, editUrl?: string }} [options] `adminToken`: what the admin routes ask for; without
 *   one they are open. `proxies`: how many stand in front of this server, so that the rate limit sees the client's address.
 *   `editUrl`: where the console posts an edited prompt; without it the console edits nothing
 */
export function createApp({ adminToken, proxies = 0, editUrl } = {}) {
  const app = express()
  const sessions = new Map()
  const operators = createConsole({ adminToken, editUrl })
  app.set('trust proxy', proxies)
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
    if (type !== '' && type !== 'system-prompt') {
      return response.json({
        success: true,
        message: `Nothing to invalidate for type "${type}"`,
        invalidated: null,
      })
    }
    try {
      const receipt = await invalidateSystemPrompt({ wait: 'all', timeoutMs: PROVEN_WITHIN_MS })
      operators.invalidated(receipt)
      response.json({
        success: true,
        message: 'Cache invalidated',
        invalidated: type || 'all',
        ...receipt,
      })
    } catch ({ code, retryable }) {
      // The package has logged why. Other instances may still serve the old prompt: the caller should try again.
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
