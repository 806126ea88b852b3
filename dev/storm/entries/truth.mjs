// The source of a storm's entries: one table in memory, behind the gateway of the prompt's. What changes together changes at one moment.

import { nowMs } from '../clock.mjs'
import { ENTRIES, numberOf, rowOf } from './entries.mjs'

export const TABLE = 'entries'

/**
 * @returns {{ answer(url: URL, response: import('node:http').ServerResponse): void, requests: number, edit(numbers: number[]): Edit }}
 *   every entry begins with version 1; `requests` counts those that reached the table
 *
 * @typedef {{ versions: Array<[number, number]>, committedMs: number }} Edit `versions`: of which entries, and which
 */
export function openTruth() {
  const versions = ENTRIES.map(() => 1)
  return {
    requests: 0,
    answer(url, response) {
      this.requests += 1
      const number = numberOf(url.searchParams.get('id')?.replace(/^eq\./, ''))
      const rows = number === undefined ? [] : [rowOf(number, versions[number])]
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
      response.end(JSON.stringify(rows))
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
