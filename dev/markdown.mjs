// What is written as Markdown.

/**
 * Rows as a table: the first has the columns' titles; all columns but the first are of numbers.
 *
 * @param {(string | number)[][]} rows
 * @returns {string}
 */
export function tableOf(rows) {
  const cells = rows.map((row) => row.map(String))
  const widths = cells[0].map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)))
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  const padded = (row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
    )
  return [padded(cells[0]), rule, ...cells.slice(1).map(padded)]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')
}
