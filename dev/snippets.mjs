// The fenced code of a document.

const FENCE = /^( *)```(\w*) ?(.*)$/

/**
 * @param {string} document its text
 * @returns {{ heading: string, language: string, mark: string, text: string, line: number }[]} `heading`: the nearest above it;
 *   `mark`: what follows the language on the fence; `line`: of the fence, from 1
 */
export function snippetsOf(document) {
  const snippets = []
  let heading = ''
  let open
  for (const [index, text] of document.split('\n').entries()) {
    const fence = text.match(FENCE)
    if (open) {
      if (fence && !fence[2]) open = undefined
      else open.lines.push(text.slice(open.indent))
    } else if (fence) {
      const [, { length: indent }, language, mark] = fence
      const lines = []
      open = { indent, lines }
      snippets.push({ heading, language, mark, line: index + 1, lines })
    } else {
      heading = text.match(/^#+ (.+)$/)?.[1] ?? heading
    }
  }
  return snippets.map(({ lines, ...snippet }) => ({ ...snippet, text: lines.join('\n') }))
}
