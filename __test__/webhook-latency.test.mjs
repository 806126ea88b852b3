// What `npm run webhooks` measures: short, and what it would call a failure.
import test from 'ava'
import { documentPart, problemsOf, rowsOf } from '../dev/webhooks/report.mjs'
import { runTrials } from '../dev/webhooks/trials.mjs'

test('of commits that are measured, none is late or lost', async (t) => {
  t.timeout(100_000)
  const results = await runTrials({ commits: 12, size: 3, seed: 1 })
  t.is(results.trials.length, 12)
  t.deepEqual(problemsOf(results), [])
  for (const { webhookMs, answeredMs, lastMs } of results.trials)
    t.true(0 < webhookMs && webhookMs < answeredMs && 0 < lastMs)
})

const trial = { webhookMs: 1, answeredMs: 2, lastMs: 3 }
const results = (other = {}) => ({ trials: [trial], refused: 0, wentBack: 0, ...other })

test('what was lost, late, refused or went back is a problem', (t) => {
  t.deepEqual(problemsOf(results()), [])
  for (const [other, problem] of [
    [{ trials: [] }, 'no commits'],
    [{ trials: [{ ...trial, lastMs: null }] }, '1 changes did not reach all instances'],
    [{ trials: [{ ...trial, webhookMs: null }] }, '1 changes did not reach all instances'],
    [{ trials: [{ ...trial, lastMs: 1001 }] }, '1 changes took longer than 1000 ms'],
    [{ refused: 2 }, '2 webhooks were refused'],
    [{ wentBack: 3 }, '3 times an instance went back to an earlier value'],
  ])
    t.deepEqual(problemsOf(results(other)), [problem])
})

test('the table has a row for each step', (t) => {
  const trials = [10, 20, 30, 40].map((ms) => ({
    webhookMs: ms,
    answeredMs: null,
    lastMs: 10 * ms,
  }))
  t.deepEqual(rowsOf(results({ trials })), [
    ['from the COMMIT (ms)', 'median', 'P95', 'P99', 'max'],
    ['until the webhook arrives', '25.0', '38.5', '39.7', '40.0'],
    ['until it is answered', '-', '-', '-', '-'],
    ['until the last instance serves the change', '250.0', '385.0', '397.0', '400.0'],
  ])
  const head = { date: '2026-01-02T03:04:05Z', node: '20', platform: 'p', cores: 2, size: 4 }
  const part = documentPart(results({ ...head, trials }))
  t.true(part.includes('| until the webhook arrives'))
  t.true(part.includes('2026-01-02, Node 20 on p with 2 cores: 4 commits'))
})
