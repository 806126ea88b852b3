// Store and source behind their gates, and the faults of either.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { serve } from '../loopback.mjs'
import { openGate } from './gate.mjs'
import { NAME, openNameSpace } from './name-space.mjs'

const pem = (name) => new URL(`../../__test__/support/tls/${name}.pem`, import.meta.url)

/** Who signed the certificate of the gates that speak TLS: a file for NODE_EXTRA_CA_CERTS. */
export const AUTHORITY = fileURLToPath(pem('authority'))

/** @param {object} stack as `startStack` gives it */
export async function openPlaces(stack) {
  const certificate = { key: readFileSync(pem('server-key')), cert: readFileSync(pem('server')) }
  const names = openNameSpace()
  const servers = { store: stack.upstash, source: stack.supabase }
  const gates = {}
  for (const [place, { url }] of Object.entries(servers)) {
    gates[place] = { http: await openGate(url), https: await openGate(url, certificate) }
  }
  let trapped = 0
  const trap = await serve((_request, response) => {
    trapped += 1
    response.end()
  })
  const gateOf = (place, { over }) => gates[place][over === 'https' ? 'https' : 'http']

  return {
    /** In front of a command, so that what it runs forgets names when told to; null where that cannot be had. */
    runner: names?.runner ?? null,
    /** How often somebody followed a redirect. */
    get trapped() {
      return trapped
    },

    /** Where a place is reached for this breakage. @param {boolean} broken whether it is to break */
    urlOf(place, breakage, broken) {
      const { port } = gateOf(place, breakage)
      if (breakage.over === 'https') return `https://127.0.0.1:${port}`
      if (breakage.over !== 'name' || !broken) return `http://127.0.0.1:${port}`
      return names ? `http://${NAME}:${port}` : `https://${place}.invalid`
    },

    async break(place, breakage) {
      if (breakage.over === 'name') names?.forget()
      if (breakage.fault) servers[place].faults.set(breakage.fault(place, trap.url))
      else await gateOf(place, breakage)[breakage.gate]()
    },

    async mend(place, breakage) {
      names?.know()
      servers[place].faults.clear()
      await gateOf(place, breakage).heal()
    },

    async stop() {
      for (const { http, https } of Object.values(gates)) {
        await http.stop()
        await https.stop()
      }
      await trap.stop()
      names?.close()
    },
  }
}
