// Edits that a document prints as diffs, applied to a program.

const ANY = '…'

/**
 * @param {string} program
 * @param {string} diff lines that begin with a space (kept), `-` or `+`. `…` stands for the rest of a line, and on a line of its own
 *   for any lines
 * @returns {string} throws if the diff does not fit in exactly one place
 */
export function applyEdit(program, diff) {
  const pieces = diff.split('\n').map((line) => ({ sign: line[0] ?? ' ', text: line.slice(1) }))
  const before = pieces.filter(({ sign }) => sign !== '+').map(({ text }) => patternOf(text))
  const places = [...program.matchAll(new RegExp(`^${before.join('')}`, 'gm'))]
  if (places.length !== 1) throw new Error(`the edit fits in ${places.length} places:\n${diff}`)
  const [{ index, 0: whole, ...lines }] = places
  let line = 0
  const after = pieces.map(({ sign, text }) => {
    if (sign === '+') return `${text}\n`
    line += 1
    return sign === '-' ? '' : lines[line]
  })
  return program.slice(0, index) + after.join('') + program.slice(index + whole.length)
}

function patternOf(line) {
  if (line.trim() === ANY) return '((?:.*\\n)*?)'
  const literals = line.split(ANY).map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
  return `(${literals.join('.*')}\\n)`
}
