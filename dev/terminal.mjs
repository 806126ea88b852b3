// What is printed for people: headings, aligned columns, dimmed lines of others. No colour outside a terminal.

const coloured = process.stdout.isTTY && !process.env.NO_COLOR
const style = (code, text) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text)

export const bold = (text) => style(1, text)
export const dim = (text) => style(2, text)

export function heading(text) {
  console.log(`\n${bold(text)}`)
}

/** Prints rows with their columns aligned; numbers (of milliseconds or of things) to the right. @param {Array[]} rows */
export function columns(rows) {
  const cells = rows.map((row) => row.map((cell) => String(cell ?? '-')))
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)))
  const toTheRight = cells[0].map((_, column) =>
    rows.some((row) => typeof row[column] === 'number'),
  )
  for (const row of cells) {
    const padded = row.map((cell, column) =>
      toTheRight[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
    )
    console.log(`  ${padded.join('   ')}`.trimEnd())
  }
}

/** Milliseconds with one digit, so that columns of them compare. */
export const ms = (milliseconds) => `${milliseconds.toFixed(1)} ms`
