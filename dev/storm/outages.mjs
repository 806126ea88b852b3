// What can break in a storm. `store` and `source` are faults of dev/faults.mjs; two more kinds are made here: `refuse`
// closes each connection on its first request, and a `hang` ends with its phase, as it does when a load balancer gives up.

import { QUOTA_BODY } from '../upstash/errors.mjs'

const KILL_STREAMS_EVERY_MS = 300

/**
 * @typedef {object} Outage
 * @property {string} label
 * @property {object} [store]
 * @property {object} [source]
 * @property {'silent' | 'killed'} [push]
 * @property {boolean} [freeze] one instance is stopped by SIGSTOP
 */

/** @type {Record<string, Outage>} */
export const OUTAGES = {
  'store-slow': { label: 'store slow', store: { kind: 'delay', ms: 300 } },
  'store-hangs': { label: 'store hangs', store: { kind: 'hang' } },
  'store-refuses': { label: 'store refuses', store: { kind: 'refuse' } },
  'store-500': { label: 'store 500', store: { kind: 'status', code: 500, body: 'no' } },
  'store-429': { label: 'store 429', store: { kind: 'status', code: 429, body: QUOTA_BODY } },
  'store-garbage': { label: 'store garbage', store: { kind: 'garbage' } },
  'store-wrong-json': { label: 'store wrong JSON', store: { kind: 'wrongJson' } },
  // The store does what it was asked to, and nobody learns of it.
  'store-cuts': { label: 'store cuts answers', store: { kind: 'reset' } },
  'push-silent': { label: 'push silent', push: 'silent' },
  'push-killed': { label: 'push killed', push: 'killed' },
  'source-hangs': { label: 'source hangs', source: { kind: 'hang' } },
  'source-503': { label: 'source 503', source: { kind: 'status', code: 503 } },
  both: {
    label: 'both refuse',
    store: { kind: 'refuse' },
    source: { kind: 'status', code: 503 },
  },
  frozen: { label: 'one frozen', freeze: true },
}

/**
 * The switch of one stack's outages.
 *
 * @param {{ upstash: object, source: object }} stack
 * @param {object} sourceFault what the source has without an outage: its latency
 */
export function outageSwitch({ upstash, source: { faults } }, sourceFault) {
  let undo = []
  const set = (of, fault) => {
    const sockets = new Set()
    if (fault.kind === 'hang' || fault.kind === 'refuse') {
      const match = ({ socket }) => {
        if (fault.kind === 'refuse') socket.destroy()
        else sockets.add(socket)
        return true
      }
      of.set({ kind: 'hang', match })
    } else of.set(fault)
    return () => sockets.forEach((socket) => socket.destroy())
  }
  const end = () => {
    upstash.faults.clear()
    faults.set(sourceFault)
    for (const step of undo) step()
    undo = []
  }
  const begin = ({ store, source, push }) => {
    end()
    if (store) undo.push(set(upstash.faults, store))
    if (source) undo.push(set(faults, source))
    if (push === 'silent') {
      upstash.faults.silenceStreams()
      undo.push(() => upstash.faults.silenceStreams(false))
    }
    if (push === 'killed') {
      const kill = () => upstash.faults.killStreams({ reset: true })
      kill()
      const timer = setInterval(kill, KILL_STREAMS_EVERY_MS)
      undo.push(() => clearInterval(timer))
    }
  }
  end()
  return { begin, end }
}
