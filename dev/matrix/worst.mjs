// The worst of each cell of the fault matrix, over its rounds.

/** @param {object[]} reports as `run` gives them @returns {object[]} one for each fault and target, in their order */
export function worstOf(reports) {
  const cells = new Map(reports.map((report) => [nameOf(report), []]))
  for (const report of reports) cells.get(nameOf(report)).push(report)
  return [...cells.values()].map(worst)
}

const nameOf = ({ fault, target }) => `${fault}, ${target}`

function worst(reports) {
  const [{ fault, target, cured }] = reports
  const longest = (name) => Math.max(...reports.map((report) => report[name]))
  const all = (name) => [...new Set(reports.flatMap((report) => report[name]))].toSorted()
  return {
    fault,
    target,
    cured,
    longestReadMs: longest('longestReadMs'),
    longestInvalidationMs: longest('longestInvalidationMs'),
    longestValueMs: longest('longestValueMs'),
    hot: all('hot'),
    cold: all('cold'),
    recoveredMs: cured ? longest('recoveredMs') : null,
    late: all('late'),
    problems: all('problems'),
  }
}
