// What a load test comes to: medians over its runs, a table, and whether it passed.

import { tableOf } from '../markdown.mjs'
import { median } from '../statistics.mjs'

/** @param {object[]} runs see `run.mjs` @returns {object} */
export function summaryOf(runs) {
  const over = (shared) => {
    const chosen = runs.filter(({ sharedCache }) => sharedCache === shared)
    const middle = (value) => median(chosen.map(value))
    const total = (name) => chosen.reduce((sum, run) => sum + run[name], 0)
    const times = (name) => ({
      p50: middle((run) => run[name].p50),
      p95: middle((run) => run[name].p95),
      p99: middle((run) => run[name].p99),
    })
    return {
      responses: total('responses'),
      edits: total('edits'),
      stale: total('stale'),
      unknown: total('unknown'),
      fallbacks: total('fallbacks'),
      failures: chosen.reduce(
        (sum, run) => sum + Object.values(run.failures).reduce((a, b) => a + b, 0),
        0,
      ),
      responseTimeMs: times('responseTimeMs'),
      systemPromptMs: times('systemPromptMs'),
      hitRate: shared ? middle((run) => run.hitRate) : null,
      withoutSource: middle((run) => run.withoutSource),
    }
  }
  return { on: over(true), off: over(false) }
}

/** Why a load test failed; empty if it passed. @returns {string[]} */
export function problemsOf({ on, off }, leastHitRate) {
  return [
    ...[on, off].flatMap(({ stale, unknown, failures, responses }) => [
      responses === 0 && 'there were no responses',
      stale > 0 && `${stale} responses were stale`,
      unknown > 0 && `${unknown} responses carried a prompt that nobody made`,
      failures > 0 && `${failures} requests failed`,
    ]),
    !(on.hitRate >= leastHitRate) &&
      `the hit rate is ${percent(on.hitRate)}, less than ${percent(leastHitRate)}`,
  ].filter(Boolean)
}

/** The summary as a Markdown table. */
export function summaryTable({ on, off }) {
  const times = (name, label) =>
    ['p50', 'p95', 'p99'].map((part) => [
      `${label}, ${part.toUpperCase()}`,
      inMs(off[name][part]),
      inMs(on[name][part]),
    ])
  return tableOf([
    ['', 'without a cache', 'with this package'],
    ...times('responseTimeMs', 'chat initialisation'),
    ...times('systemPromptMs', 'the prompt in it'),
    ['hit rate', '-', percent(on.hitRate)],
    [
      'chats that did not wait for the source',
      percent(off.withoutSource),
      percent(on.withoutSource),
    ],
    ['responses', off.responses, on.responses],
    ['edits', off.edits, on.edits],
    ['stale more than a second after the invalidation', off.stale, on.stale],
    ['fallback prompts (no row is active amid an edit)', off.fallbacks, on.fallbacks],
    ['failed requests', off.failures, on.failures],
  ])
}

const inMs = (value) => `${value.toFixed(1)} ms`
const percent = (part) => `${(part * 100).toFixed(1)} %`
