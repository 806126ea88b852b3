// Whether the dashboard asks for what `metrics()` gives.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { promptCache } from '../dev/prompt-cache.mjs'

import { readExposition, samplesOf } from './support/prometheus.mjs'
import { groupingsIn, selects, selectorsIn } from './support/promql.mjs'

const text = readFileSync(new URL('../docs/grafana.json', import.meta.url), 'utf8')
const { schemaVersion, templating, panels } = JSON.parse(text)
const variables = templating.list.map(({ name }) => name)

/** What Grafana puts in place of its variables. */
const INTERPOLATED = {
  $cache: '.*',
  $instance: '.*',
  $bound: '1',
  $__rate_interval: '5m',
  $__range: '1h',
}
const interpolate = (expression) =>
  expression.replaceAll(/\$\w+/g, (name) => INTERPOLATED[name] ?? name)

/** The series as Prometheus keeps them: with what it scraped. */
const cache = promptCache({ upstashUrl: '', supabaseUrl: '', logLevel: 'silent' })
await cache.fetchActiveSystemPrompt()
const families = readExposition(cache.metrics())
const series = samplesOf(families).map(({ name, labels }) => ({
  name,
  labels: { ...labels, instance: '127.0.0.1:8080', job: 'server' },
}))
const LABELS = new Set(series.flatMap(({ labels }) => Object.keys(labels)))

test('it is made for Grafana as it is now, with panels that differ and lie side by side', (t) => {
  t.true(schemaVersion >= 42)
  t.deepEqual(variables, ['DS_PROMETHEUS', 'cache', 'instance', 'bound'])
  t.true(panels.length >= 11)
  t.is(new Set(panels.map(({ id }) => id)).size, panels.length, 'an id for each')
  const taken = new Set()
  for (const { title, gridPos } of panels) {
    t.true(gridPos.x + gridPos.w <= 24, title)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        t.false(taken.has(`${x},${y}`), `${title} covers another`)
        taken.add(`${x},${y}`)
      }
    }
  }
})

test('it names no source of data but its variable', (t) => {
  const sources = [...text.matchAll(/"uid": "([^"]+)"/g)].map(([, uid]) => uid)
  t.deepEqual([...new Set(sources)].toSorted(), ['${DS_PROMETHEUS}', 'grove-shared-cache'])
})

for (const { id, title, targets } of panels) {
  test(`panel ${id}, ${title}: each query can be read and selects something`, (t) => {
    t.is(new Set(targets.map(({ refId }) => refId)).size, targets.length)
    for (const { expr, legendFormat } of targets) {
      const query = interpolate(expr)
      const selectors = selectorsIn(query)
      for (const selector of selectors) {
        t.true(
          series.some((one) => selects(selector, one)),
          `${selector.name} in ${expr}`,
        )
        const filtered = selector.matchers.map(({ label }) => label)
        t.true(filtered.includes('cache') && filtered.includes('instance'), expr)
      }
      const groupings = groupingsIn(query)
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
      for (const label of [...groupings, ...shown]) t.true(LABELS.has(label), label)
    }
  })
}

test('the choices of its variables are labels of metrics', (t) => {
  const queries = templating.list.filter(({ type }) => type === 'query')
  t.is(queries.length, 2)
  for (const { query } of queries) {
    const [, selector, label] = query.query.match(/^label_values\((.+), (\w+)\)$/)
    t.true(series.some((one) => selects(selectorsIn(interpolate(selector))[0], one)))
    t.true(LABELS.has(label))
  }
})

test('every metric is on it', (t) => {
  const asked = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => selectorsIn(interpolate(expr)).map(({ name }) => name)),
  )
  const left = [...families.keys()].filter(
    (family) => !asked.some((name) => name === family || name === `${family}_bucket`),
  )
  t.deepEqual(left, ['grove_cache_joined_total'], 'joined loads are no news')
})

test('a query that cannot be read, and one that selects nothing, are found', (t) => {
  for (const query of ['sum(rate(up[5m])', 'rate(up[$__rate_interval])', 'sum by le (up)', '']) {
    t.throws(() => selectorsIn(query), undefined, query)
  }
  const [wrongTier] = selectorsIn('grove_cache_answers_total{tier="disk"}')
  const [rightTier] = selectorsIn('grove_cache_answers_total{tier=~"disk|redis"}')
  const [otherTiers] = selectorsIn('grove_cache_answers_total{tier!~"redis|source"}')
  t.deepEqual(
    [wrongTier, rightTier, otherTiers].map(
      (selector) => series.filter((one) => selects(selector, one)).length,
    ),
    [0, 1, 3],
  )
})
