// Queries of Prometheus, by its own grammar.
import { parser } from '@prometheus-io/lezer-promql'

const strict = parser.configure({ strict: true })

/**
 * @param {string} query
 * @returns {{ name: string, matchers: { label: string, operator: string, text: string }[] }[]} what it selects; throws where the
 *   query cannot be read
 */
export function selectorsIn(query) {
  const selectors = []
  const textOf = (node) => query.slice(node.from, node.to)
  strict.parse(query).iterate({
    enter({ name, node }) {
      if (name === 'VectorSelector') {
        const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
        selectors.push({
          name: textOf(node.getChild('Identifier')),
          matchers: matchers.map((matcher) => ({
            label: textOf(matcher.getChild('LabelName')),
            operator: textOf(matcher.getChild('MatchOp')),
            text: JSON.parse(textOf(matcher.getChild('StringLiteral'))),
          })),
        })
      }
    },
  })
  return selectors
}

/** The labels by which it groups or matches. */
export function groupingsIn(query) {
  const labels = []
  strict.parse(query).iterate({
    enter({ name, node }) {
      if (name === 'GroupingLabels')
        labels.push(...node.getChildren('LabelName').map(({ from, to }) => query.slice(from, to)))
    },
  })
  return labels
}

/** Whether a series is one that a selector selects. */
export function selects({ name, matchers }, series) {
  return (
    series.name === name &&
    matchers.every(({ label, operator, text }) => {
      const value = series.labels[label] ?? ''
      const same = operator.endsWith('~') ? new RegExp(`^(?:${text})$`).test(value) : value === text
      return same === operator.startsWith('=')
    })
  )
}
