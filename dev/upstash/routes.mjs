// From an HTTP request to commands and back: the life of one request at the bridge.

import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

import { readBody } from '../loopback.mjs'
import { commandOfBody, commandOfPath, commandsOfBody, nameOf } from './commands.mjs'
import { jsonAnswer, jsonAnswers, resp2 } from './encodings.mjs'
import { ERRORS, Refusal, tooLarge } from './errors.mjs'
import { subscribe } from './subscriptions.mjs'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT']
const SYNC_TOKEN = 'upstash-sync-token'
const JSON_TYPE = 'application/json'
const compressed = promisify(gzip)

/**
 * The bridge as a listener for `withFaults`.
 *
 * @param {object} parts
 * @param {import('./access.mjs').Access} parts.access
 * @param {import('./execution.mjs').Execution} parts.execution
 * @param {import('./sync-token.mjs').SyncTokens} parts.tokens
 * @param {object} parts.database for subscriptions
 * @param {number} parts.maxRequestBytes
 * @param {number} parts.gzipFromBytes shorter answers are not compressed
 */
export function routes({ access, execution, tokens, database, maxRequestBytes, gzipFromBytes }) {
  return async (request, response, streams) => {
    const headers = {}
    try {
      const { segments, query } = targetOf(request)
      if (!METHODS.includes(request.method)) throw new Refusal(405, ERRORS.method)
      const { readOnly } = access.check(request, query)
      const format = formatOf(request, segments)
      const { body, bytes, tooLarge: refused } = await readBody(request, maxRequestBytes)
      if (refused) throw new Refusal(413, tooLarge(maxRequestBytes, bytes))
      const position = tokens.position(request.headers[SYNC_TOKEN])
      const caller = { readOnly, position, gone: () => request.socket.destroyed }
      if (segments[0] === 'subscribe' || segments[0] === 'psubscribe') {
        const channels = segments.slice(1).map(decodeURIComponent)
        const pattern = segments[0] === 'psubscribe'
        headers[SYNC_TOKEN] = tokens.at(await database.position())
        const store = database.primary
        return await subscribe({ store, channels, pattern, request, response, streams, headers })
      }
      const answer = await answerOf({ execution, caller, request, segments, query, body, format })
      headers[SYNC_TOKEN] = tokens.at(answer.position)
      await send(request, response, answer, headers, gzipFromBytes)
    } catch (error) {
      // The client went away while it was still sending, or while it waited.
      if (request.socket.destroyed || response.destroyed || response.headersSent) return
      const refusal = error instanceof Refusal ? error : internalError(error)
      request.resume()
      if (refusal.status !== 401) headers[SYNC_TOKEN] = tokens.at()
      await send(request, response, refusalAnswer(refusal), headers, gzipFromBytes)
    }
  }
}

// A mistake in the bridge itself: visible in its output, and an answer for the client.
function internalError(error) {
  console.error(error)
  return new Refusal(500, `ERR internal error: ${error.message}`)
}

function targetOf(request) {
  const [path, search = ''] = request.url.split(/\?(.*)/s)
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  return { segments, query: new URLSearchParams(search) }
}

/** How the answer is to be encoded; raw RESP2 is not for transactions, which always answer JSON. */
function formatOf(request, segments) {
  const base64 = request.headers['upstash-encoding'] === 'base64'
  const asked = request.headers['upstash-response-format']
  if (asked === undefined || segments[0] === 'multi-exec') return { base64, raw: false }
  if (asked !== 'resp2' || base64) throw new Refusal(400, ERRORS.responseFormat)
  return { base64, raw: true }
}

async function answerOf({ execution, caller, request, segments, query, body, format }) {
  const batch =
    segments.length === 1 && (segments[0] === 'pipeline' || segments[0] === 'multi-exec')
  if (batch && request.method !== 'POST') throw new Refusal(405, ERRORS.method)
  if (batch) {
    const commands = commandsOfBody(body)
    if (segments[0] === 'multi-exec') {
      const { replies, position } = await execution.atomically(commands, caller)
      return { ...jsonBody(200, jsonAnswers(replies, format)), position }
    }
    const { replies, position } = await execution.many(commands, caller)
    if (!format.raw) return { ...jsonBody(200, jsonAnswers(replies, format)), position }
    const bodies = replies.map((reply, index) => resp2(reply, nameOf(commands[index])))
    return { ...rawBody(200, Buffer.concat(bodies)), position }
  }
  const command =
    segments.length === 0 ? commandAtRoot(request, body) : commandOfPath(segments, query, body)
  const { reply, position } = await execution.one(command, caller)
  const status = reply instanceof Error ? 400 : 200
  const answer = format.raw
    ? rawBody(status, resp2(reply, nameOf(command)))
    : jsonBody(status, jsonAnswer(reply, format))
  return { ...answer, position }
}

function commandAtRoot(request, body) {
  if (request.method !== 'POST' && request.method !== 'PUT')
    throw new Refusal(400, ERRORS.emptyCommand)
  return commandOfBody(body)
}

const jsonBody = (status, text) => ({ status, type: JSON_TYPE, body: Buffer.from(text) })
const rawBody = (status, body) => ({ status, type: 'application/octet-stream', body })
const refusalAnswer = ({ status, message }) => jsonBody(status, JSON.stringify({ error: message }))

async function send(request, response, { status, type, body }, headers, gzipFromBytes) {
  const zip =
    body.length >= gzipFromBytes && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const sent = zip ? await compressed(body) : body
  response.writeHead(status, {
    'content-type': type,
    'content-length': String(sent.length),
    ...(zip && { 'content-encoding': 'gzip' }),
    ...headers,
  })
  response.end(sent)
}
