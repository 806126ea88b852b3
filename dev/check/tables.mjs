// The tables of a document, read back.

/** The cells of each row of the first table below a heading of a document. */
export function* tableUnder(document, heading) {
  const [, section = ''] = document.split(`\n${heading}\n`)
  const lines = section.split(/\n## /)[0].split('\n')
  for (const line of lines.filter((line) => line.startsWith('|')).slice(2)) {
    yield line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim())
  }
}

/**
 * @param {string} where the table
 * @param {string[]} said the names in it
 * @param {string[]} there the names of what there is
 * @returns {string[]} what is missing on either side, one line each
 */
export function compareNames(where, said, there) {
  return [
    ...there.filter((name) => !said.includes(name)).map((name) => `${where}: ${name} is missing`),
    ...said.filter((name) => !there.includes(name)).map((name) => `${where}: there is no ${name}`),
  ]
}
