// The console: a page for operators, and the answers that it polls. The page is the files of `console/`, which ask for
// nothing but these routes.

import { fileURLToPath } from 'node:url'
import express from 'express'
import { debugSystemPrompt, metrics, stats } from 'grove-shared-cache'

import { adminOnly } from './admin.mjs'

const FOLDER = fileURLToPath(new URL('console', import.meta.url))
const READS_KEPT = 300
const INVALIDATIONS_KEPT = 20
const EDIT_WITHIN_MS = 5000
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
}

/**
 * The console's routes, and what the others tell it for its charts.
 *
 * @param {{ adminToken?: string, editUrl?: string, resources?: () => object }} [options] `editUrl`: where an edited prompt is posted
 *   to, `{ title, content }`; without it there is no edit box. `resources`: what is shown of them
 */
export function createConsole({ adminToken, editUrl, resources } = {}) {
  const reads = []
  const invalidations = []
  const router = express.Router()

  router.use('/console', (request, response, next) => {
    response.set(HEADERS)
    next()
  })
  router.get('/console', (request, response) => response.sendFile('console.html', { root: FOLDER }))

  router.get('/console/state', adminOnly(adminToken), async (request, response, next) => {
    try {
      const before = stats().storeCommands
      const state = await debugSystemPrompt()
      const now = Date.now()
      const aged = (kept) => kept.map(({ at, ...rest }) => ({ agoMs: now - at, ...rest }))
      response.set('cache-control', 'no-store').json({
        ...state,
        // About: what others asked for at the same moment is in it.
        askedForThis: stats().storeCommands - before,
        reads: aged(reads),
        invalidations: aged(invalidations),
        editable: Boolean(editUrl),
        resources: resources?.() ?? null,
      })
    } catch (error) {
      next(error)
    }
  })

  if (editUrl) {
    router.post('/console/prompt', adminOnly(adminToken), async (request, response) => {
      const { title, content } = request.body ?? {}
      if (![title, content].every((text) => typeof text === 'string' && text.trim() !== ''))
        return response.status(400).json({ error: 'title and content must be texts' })
      const edited = await postEdit(editUrl, { title, content })
      if (edited) return response.json({ success: true })
      response.status(502).json({ error: 'The source did not take the edit' })
    })
  }

  router.use(
    '/console',
    express.static(FOLDER, { index: false, redirect: false, cacheControl: false }),
  )

  // For Prometheus, which can send the token as its `authorization`.
  router.get('/metrics', adminOnly(adminToken), (request, response) => {
    response.setHeader('content-type', METRICS_TYPE)
    // Not `send`, which writes the type anew.
    response.end(metrics())
  })

  return {
    router,
    /** A chat got its prompt from `tier` within so many milliseconds. */
    tookRead(tier, ms) {
      keep(reads, READS_KEPT, { at: Date.now(), tier, ms })
    },
    invalidated(receipt) {
      keep(invalidations, INVALIDATIONS_KEPT, { at: Date.now(), ...receipt })
    },
  }
}

function keep(kept, most, entry) {
  kept.push(entry)
  if (kept.length > most) kept.shift()
}

async function postEdit(url, edit) {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(edit),
      signal: AbortSignal.timeout(EDIT_WITHIN_MS),
    })
    return response.ok
  } catch {
    return false
  }
}
