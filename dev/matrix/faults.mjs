// What can be wrong with the store or the source, over real sockets.

import { gzipSync } from 'node:zlib'

import { ERRORS, QUOTA_BODY } from '../upstash/errors.mjs'

/** In every answer of a fault: what nobody may repeat. */
export const REMOTE_CANARY = 'canary-of-a-remote-text'

const HUGE_BYTES = 50 << 20
/** Neither base64 nor anything else that was asked for. */
const NOT_BASE64 = `bm9uc2Vuc2U*${REMOTE_CANARY}`

/**
 * @typedef {object} Breakage
 * @property {'refuse' | 'mute' | 'swallow' | 'cut'} [gate] what the gate does; without it, it lets through
 * @property {'http' | 'https' | 'name'} [over] how the place is reached; `name`: by one that is forgotten
 * @property {(place: 'store' | 'source', trapUrl: string) => import('../faults.mjs').Fault} [fault] what the server does
 * @property {string[]} words one of these is what `debugSystemPrompt()` or `cause.code` call it at the store; none: it looks well
 * @property {boolean} [confirms] the store's sequence arrives whole, so that what is held is confirmed and served
 * @property {boolean} [saysNone] the source's answer is one, and has no prompt: what is held is not served
 */

/** @type {Record<string, Breakage>} */
export const FAULTS = {
  'connection refused': { gate: 'refuse', words: ['unreachable'] },
  'black hole: no SYN is answered': { gate: 'swallow', words: ['timeout'] },
  'connects and says nothing': { gate: 'mute', words: ['timeout'] },
  'TLS stalls after the ClientHello': { gate: 'mute', over: 'https', words: ['timeout'] },
  'host name unknown': { gate: 'cut', over: 'name', words: ['unreachable'] },
  'a byte per 100 ms': { fault: () => ({ kind: 'drip', ms: 100 }), words: ['timeout'] },
  'reset mid-body': { fault: () => ({ kind: 'reset' }), words: ['interrupted'] },
  truncated: { fault: () => ({ kind: 'truncated' }), words: ['interrupted'] },
  'status 401': { fault: () => error(401, ERRORS.auth), words: ['unauthorized'] },
  'status 429': { fault: () => error(429, 'Too many requests'), words: ['quota'] },
  'status 400, quota used up': {
    fault: () => error(400, JSON.parse(QUOTA_BODY).error),
    words: ['quota'],
  },
  'status 500': { fault: () => error(500, 'ERR internal'), words: ['status'] },
  'status 502, HTML': {
    fault: () => answer(502, `<html><h1>${REMOTE_CANARY}</h1></html>`, 'text/html'),
    words: ['status'],
  },
  redirect: {
    fault: (_place, trapUrl) => ({ kind: 'redirect', location: `${trapUrl}/${REMOTE_CANARY}` }),
    words: ['redirected'],
  },
  'wrong JSON': {
    fault: () => ({ kind: 'wrongJson', body: JSON.stringify({ [REMOTE_CANARY]: [1] }) }),
    words: ['malformed'],
  },
  'bad base64 for each string': {
    fault: (place) =>
      place === 'store' ? { kind: 'garbled', text: NOT_BASE64 } : answer(200, ROW_WITHOUT_PAYLOAD),
    words: [],
    confirms: true,
    saysNone: true,
  },
  'body of 50 MB': {
    fault: () => ({ kind: 'huge', bytes: HUGE_BYTES }),
    words: ['too-large'],
  },
  'body of 50 MB, unannounced': {
    fault: () => ({ kind: 'huge', bytes: HUGE_BYTES, announced: false }),
    words: ['too-large', 'timeout'],
  },
  'gzip bomb': { fault: () => gzipBomb(), words: ['too-large', 'timeout'] },
}

/** What is broken at a time. */
export const TARGETS = { store: ['store'], source: ['source'], both: ['store', 'source'] }

/** Each fault at each target, those of one way to reach the places next to each other. */
export const CELLS = Object.keys(FAULTS).flatMap((fault) =>
  Object.keys(TARGETS).map((target) => ({ fault, target })),
)

const ROW_WITHOUT_PAYLOAD = JSON.stringify([{ id: 1, title: NOT_BASE64, payload: NOT_BASE64 }])

function answer(code, body, contentType = 'application/json') {
  return { kind: 'status', code, body, contentType }
}

const error = (code, words) => answer(code, JSON.stringify({ error: `${words} ${REMOTE_CANARY}` }))

let bomb

/** A few kilobytes that unpack to more than anybody should read. */
function gzipBomb() {
  bomb ??= gzipSync(`{"result":"${'a'.repeat(HUGE_BYTES)}"}`)
  return { ...answer(200, bomb), headers: { 'content-encoding': 'gzip' } }
}
