// The results of a long run, as the file that documents are made from.

import { writeFile } from 'node:fs/promises'

/**
 * Writes them as JSON, with so many digits after the point.
 *
 * @param {string | URL} path
 * @param {object} results
 * @param {number} digits
 * @returns {Promise<any>} what is in the file: documents are made from that, digit for digit
 */
export async function writeResults(path, results, digits) {
  const rounded = (_name, value) =>
    typeof value === 'number' ? Number(value.toFixed(digits)) : value
  const written = `${JSON.stringify(results, rounded, 2)}\n`
  await writeFile(path, written)
  return JSON.parse(written)
}
