// The gateway that plays Supabase: API keys in front of PostgREST, with Kong's refusals.

import { createHmac } from 'node:crypto'
import { Agent, request as httpRequest } from 'node:http'
import { pipeline } from 'node:stream'

import { withFaults } from './faults.mjs'
import { serve } from './loopback.mjs'

const PREFIX = '/rest/v1/'
const NO_KEY = {
  message: 'No API key found in request',
  hint: 'No `apikey` request header or url param was found.',
}
const WRONG_KEY = {
  message: 'Invalid API key',
  hint: 'Double check your Supabase `anon` or `service_role` API key.',
}
const NO_ROUTE = { message: 'no Route matched with those values' }
// Of the connection, not of the message.
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host']

/**
 * A JSON web token for a database role, signed with HMAC-SHA-256.
 *
 * @param {'anon' | 'service_role'} role
 * @param {string} secret
 */
export function roleToken(role, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'supabase', role })}`
  return `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`
}

/**
 * Starts the gateway.
 *
 * @param {object} options
 * @param {string} options.postgrestUrl
 * @param {string} options.jwtSecret what PostgREST verifies tokens with
 * @param {Record<string, (url: URL, response: import('node:http').ServerResponse) => void>} [options.tables] those that are not in
 *   Postgres, by name: how each is answered
 * @returns {Promise<{ url: string, serviceKey: string, anonKey: string, requests: number, resetCounters(): void,
 *   faults: import('./faults.mjs').Faults, stop(): Promise<void> }>} `requests` counts the reads that arrived, those hit
 *   by a fault included
 */
export async function startSupabase({ postgrestUrl, jwtSecret, tables = {} }) {
  const serviceKey = roleToken('service_role', jwtSecret)
  const anonKey = roleToken('anon', jwtSecret)
  const agent = new Agent({ keepAlive: true })
  let requests = 0

  const gateway = (request, response) => {
    if (!request.url.startsWith(PREFIX)) return refuse(request, response, 404, NO_ROUTE)
    const url = new URL(request.url, 'http://gateway')
    const key = request.headers.apikey ?? url.searchParams.get('apikey')
    if (!key) return refuse(request, response, 401, NO_KEY)
    if (key !== serviceKey && key !== anonKey) return refuse(request, response, 401, WRONG_KEY)
    url.searchParams.delete('apikey')
    const table = url.pathname.slice(PREFIX.length)
    if (Object.hasOwn(tables, table)) {
      request.resume()
      return tables[table](url, response)
    }
    const path = `/${table}${url.search}`
    return forward(new URL(postgrestUrl), agent, request, response, path, key)
  }
  const { listener, faults } = withFaults(gateway)
  const server = await serve((request, response) => {
    if (isRead(request)) requests += 1
    listener(request, response)
  })

  return {
    url: server.url,
    serviceKey,
    anonKey,
    faults,
    get requests() {
      return requests
    },
    resetCounters() {
      requests = 0
    },
    async stop() {
      await server.stop()
      agent.destroy()
    },
  }
}

function isRead({ method, url }) {
  return (method === 'GET' || method === 'HEAD') && url.startsWith(PREFIX)
}

function refuse(request, response, status, body) {
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(body))
}

function forward({ hostname, port }, agent, request, response, path, key) {
  // A user's token in Authorization wins, as it does behind the real gateway.
  const headers = { authorization: `Bearer ${key}`, ...withoutHopByHop(request.headers) }
  const upstream = httpRequest({ hostname, port, agent, path, method: request.method, headers })
  upstream.once('response', (answer) => {
    response.writeHead(answer.statusCode, withoutHopByHop(answer.headers))
    pipeline(answer, response, () => {})
  })
  upstream.once('error', () => {
    if (response.headersSent) response.destroy()
    else refuse(request, response, 503, { message: 'name resolution failed' })
  })
  response.once('close', () => {
    if (!response.writableFinished) upstream.destroy()
  })
  request.pipe(upstream)
}

function withoutHopByHop(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)))
}
