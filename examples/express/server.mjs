// An Express server that shares its system prompt and its lenses with its other instances. The routes are in app.mjs.
//
// Where the prompt comes from is configured by environment variables, which the cache reads when it is first used:
// UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY, SYSTEM_PROMPT_SIGNING_KEY,
// SUPABASE_WEBHOOK_SECRET.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { configure } from 'grove-shared-cache'

import { createApp } from './app.mjs'
import { openResources } from './resources.mjs'

// Served when neither Redis nor Supabase has a prompt, so that a chat can begin all the same. Never stored.
const FALLBACK_SYSTEM_PROMPT =
  'You are a helpful guide. Answer briefly, and say so when you do not know.'

// Longer than any read of the prompt; Cloud Run kills a process ten seconds after SIGTERM.
const CLOSE_WITHIN_MS = 8000

const { CACHE_KEY_PREFIX: keyPrefix } = process.env
const cache = configure({
  fallbackPrompt: FALLBACK_SYSTEM_PROMPT,
  // While you migrate, the reader that your server has today can stand in when Supabase has no active prompt:
  // legacySource: () => loadPromptFromStorage(),
  keyPrefix: keyPrefix || undefined,
  maxStalenessMs: process.env.MAX_STALENESS_MS ? Number(process.env.MAX_STALENESS_MS) : undefined,
  logLevel: process.env.LOG_LEVEL || undefined,
})
const resources = openResources(cache)

// DEMO_EDIT_URL is set by the local demo, whose source the console may edit.
const { ADMIN_TOKEN: adminToken, DEMO_EDIT_URL: editUrl, HOST: host = '127.0.0.1' } = process.env
const proxies = Number(process.env.TRUSTED_PROXIES || 0)
if (!Number.isInteger(proxies) || proxies < 0) {
  throw new Error('TRUSTED_PROXIES is how many proxies stand in front: it must be a whole number')
}
if (!adminToken && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
  console.warn(
    'ADMIN_TOKEN is not set: whoever reaches this server may read and invalidate what it caches',
  )
}

const server = createServer(createApp(resources, { adminToken, proxies, editUrl }))
server.listen(Number(process.env.PORT || 8080), host)
await once(server, 'listening')
const { address, family, port } = server.address()
console.log(`Listening on http://${family === 'IPv6' ? `[${address}]` : address}:${port}`)

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, shutDown)

async function shutDown() {
  const closed = once(server, 'close')
  server.close()
  // A client that is busy on a kept connection would go on using it.
  server.prependListener('request', (request, response) =>
    response.setHeader('connection', 'close'),
  )
  // A keep-alive connection that was busy just now would hold the server open until its timeout.
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const stuck = setTimeout(() => server.closeAllConnections(), CLOSE_WITHIN_MS)
  await closed
  clearInterval(idle)
  clearTimeout(stuck)
  await cache.close()
}
