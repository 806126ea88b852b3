// The source of a storm's entries: one table in memory, asked as Supabase is. What changes together changes at one moment.

import { withFaults } from '../../faults.mjs'
import { serve } from '../../loopback.mjs'
import { nowMs } from '../clock.mjs'
import { ENTRIES, numberOf, rowOf } from './entries.mjs'

export const TABLE = 'entries'

/**
 * @returns {Promise<{ url: string, faults: import('../../faults.mjs').Faults, requests: number,
 *   edit(numbers: number[]): Edit, stop(): Promise<void> }>} every entry begins with version 1; `requests` counts those that
 *   arrived, those hit by a fault included
 *
 * @typedef {{ versions: Array<[number, number]>, committedMs: number }} Edit `versions`: of which entries, and which
 */
export async function startTruth() {
  const versions = ENTRIES.map(() => 1)
  let requests = 0
  const { listener, faults } = withFaults((request, response) => {
    const url = new URL(request.url, 'http://source')
    const number = numberOf(url.searchParams.get('id')?.replace(/^eq\./, ''))
    const found = url.pathname === `/rest/v1/${TABLE}`
    const rows = number === undefined ? [] : [rowOf(number, versions[number])]
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json; charset=utf-8' })
    response.end(JSON.stringify(found ? rows : { message: 'no such table' }))
  })
  const server = await serve((request, response) => {
    requests += 1
    listener(request, response)
  })
  return {
    ...server,
    faults,
    get requests() {
      return requests
    },
    edit(numbers) {
      for (const number of numbers) versions[number] += 1
      return {
        versions: numbers.map((number) => [number, versions[number]]),
        committedMs: nowMs(),
      }
    },
  }
}
