// The run as a picture: bars of what a hit and a read of the store take, lines of what more instances give and cost. All
// scales are logarithmic. One SVG without anything from outside, for light and dark, readable at the width of a phone.

import { amount, sizesOf } from './report.mjs'
import { TITLES, plain } from './titles.mjs'

const WIDTH = 480
const LEFT = 10
const RIGHT = 470
const TOP = 62
const GAP = 30
const BAR = { labels: 204, thick: 13, each: 20, words: 62 }
const LINES = { left: 46, height: 150, legend: 62 }
/** What a scale takes for nothing. */
const LEAST = 0.1

const HITS = {
  title: 'A hit',
  part: 'hits',
  measure: 'ns',
  unit: 'ns',
  sides: [
    'local',
    'ours',
    'oursConfig',
    'oursClass',
    'lruCache',
    'lruCacheExact',
    'bentocacheBest',
    'bentocacheGet',
    'bentocache',
  ],
}
const READS = {
  title: 'A read of the store: event-loop time',
  part: 'reads',
  measure: 'loopUs',
  unit: 'µs',
  sides: ['oursAsking', 'oursGet', 'upstashRaw', 'upstash', 'libCache'],
}
const SERIES = [
  { side: 'ours', measure: 'readsPerSecond', mark: 'ours', words: 'this package: reads a second' },
  {
    side: 'ours',
    measure: 'commandsPerSecond',
    mark: 'ours dashed',
    words: 'this package: store commands a second',
  },
  {
    side: 'upstash',
    measure: 'readsPerSecond',
    mark: 'other',
    words: '@upstash/redis get: reads a second, each a command',
  },
]

/** @param {ReturnType<import('./results.mjs').resultsOf>} results @returns {string} SVG */
export function pictureOf({ parts, date, node, platform, cores, cpu }) {
  const panels = []
  let y = TOP
  const add = (panel) => {
    if (panel === null) return
    panels.push(`<g transform="translate(0 ${y})">${panel.svg}</g>`)
    y += panel.height + GAP
  }
  add(bars(HITS, parts))
  add(bars(READS, parts))
  add(lines(parts.growth))
  const height = y - GAP + 12
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">
<title id="title">What reads of the prompt take, beside other ways to read it</title>
<desc id="desc">${[inWords(HITS, parts), inWords(READS, parts), growthInWords(parts.growth)].filter(Boolean).join(' ')}</desc>
${STYLE}
<rect class="paper" width="${WIDTH}" height="${height}"/>
<text class="head" x="${LEFT}" y="20">What a read takes, on logarithmic scales</text>
<text class="small" x="${LEFT}" y="36">${date.slice(0, 10)}, Node ${node} on ${platform} with ${cores} cores (${cpu})</text>
${panels.join('\n')}
</svg>
`
}

const STYLE = `<style>
text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#1f2328}
.head{font-size:14px;font-weight:600}.name{font-weight:600}.small{font-size:10px}.right{text-anchor:end}.middle{text-anchor:middle}
.paper{fill:#fff}.grid{stroke:#d0d7de}rect.ours{fill:#1f6feb}rect.other{fill:#8c959f}.spread{stroke:#1f2328;stroke-width:1.5}
path.ours,path.other{fill:none;stroke-width:2.4}path.ours{stroke:#1f6feb}path.other{stroke:#bf5700}path.dashed{stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#30363d}rect.ours{fill:#79b8ff}rect.other{fill:#6e7681}
.spread{stroke:#e6edf3}path.ours{stroke:#79b8ff}path.other{stroke:#ffab70}}
</style>`

function bars(chart, parts) {
  const shown = measured(chart, parts)
  if (shown.length === 0) return null
  const from = BAR.labels
  const to = RIGHT - BAR.words
  const x = scale(
    shown.flatMap(({ median, p10, p90 }) => [median, p10, p90]),
    [from, to],
  )
  const bottom = 8 + shown.length * BAR.each
  const grid = x.decades.map(
    (at) =>
      `<path class="grid" d="M${x(at)} 8V${bottom}"/><text class="small middle" x="${x(at)}" y="${bottom + 12}">${short(at)}</text>`,
  )
  const rows = shown.map(({ side, median, p10, p90 }, index) => {
    const top = 8 + index * BAR.each + (BAR.each - BAR.thick) / 2
    const middle = top + BAR.thick / 2
    return `<text class="small right" x="${from - 6}" y="${middle + 3.5}">${titleOf(side)}</text>
<rect class="${isOurs(side) ? 'ours' : 'other'}" x="${from}" y="${top}" width="${round(x(median) - from)}" height="${BAR.thick}"/>
<path class="spread" d="M${x(p10)} ${middle}H${x(p90)}"/>
<text class="small" x="${round(Math.max(x(median), x(p90)) + 4)}" y="${middle + 3.5}">${amount(median, chart.unit)}</text>`
  })
  return {
    height: bottom + 16,
    svg: `<text class="name" x="${LEFT}" y="0">${chart.title}, ${chart.unit}</text>\n${grid.join('\n')}\n${rows.join('\n')}`,
  }
}

function lines(growth) {
  const sizes = sizesOf(growth)
  if (sizes.length === 0) return null
  const { left, height, legend } = LINES
  const at = ({ side, measure }, size) => growth[`${side} ${size}`][measure].median
  const top = 10
  const bottom = top + height
  const y = scale(
    SERIES.flatMap((series) => sizes.map((size) => at(series, size))),
    [bottom, top],
  )
  const x = (index) =>
    round(left + 12 + (index * (RIGHT - left - 24)) / Math.max(1, sizes.length - 1))
  const grid = y.decades.map(
    (value) =>
      `<path class="grid" d="M${left} ${y(value)}H${RIGHT}"/><text class="small right" x="${left - 4}" y="${y(value) + 3.5}">${short(value)}</text>`,
  )
  const ticks = sizes.map(
    (size, index) =>
      `<text class="small middle" x="${x(index)}" y="${bottom + 14}">${index === 0 ? counted(size) : size}</text>`,
  )
  const paths = SERIES.map((series) => {
    const points = sizes.map((size, index) => `${x(index)} ${y(at(series, size))}`)
    return `<path class="${series.mark}" d="M${points.join('L')}"/>`
  })
  const words = SERIES.map(({ mark, words: said }, index) => {
    const line = bottom + 32 + index * 15
    return `<path class="${mark}" d="M${left} ${line - 4}h24"/><text x="${left + 30}" y="${line}">${said}</text>`
  })
  return {
    height: bottom + legend,
    svg: `<text class="name" x="${LEFT}" y="0">Instances that read as fast as they can, together</text>
${[...grid, ...ticks, ...paths, ...words].join('\n')}`,
  }
}

/** Logarithmic, from one power of ten to another. */
function scale(values, [from, to]) {
  const logs = values.map((value) => Math.log10(Math.max(LEAST, value)))
  const least = Math.floor(Math.min(...logs))
  const most = Math.max(least + 1, Math.ceil(Math.max(...logs)))
  const place = (value) =>
    round(from + ((to - from) * (Math.log10(Math.max(LEAST, value)) - least)) / (most - least))
  return Object.assign(place, {
    decades: Array.from({ length: most - least + 1 }, (_, index) => 10 ** (least + index)),
  })
}

function measured({ part, measure, sides }, parts) {
  return sides
    .filter((side) => parts[part]?.[side])
    .map((side) => ({ side, ...parts[part][side][measure] }))
}

function inWords(chart, parts) {
  const shown = measured(chart, parts)
  if (shown.length === 0) return ''
  const said = shown.map(({ side, median }) => `${titleOf(side)} ${amount(median, chart.unit)}`)
  return `${chart.title}: ${said.join('; ')}.`
}

function growthInWords(growth) {
  const sizes = sizesOf(growth)
  if (sizes.length === 0) return ''
  const [first, last] = [sizes[0], sizes.at(-1)]
  const said = SERIES.map(({ side, measure, words }) => {
    const [from, to] = [first, last].map((size) => growth[`${side} ${size}`][measure].median)
    return `${words}, ${amount(from, '')} to ${amount(to, '')}`
  })
  return `From ${first} to ${last} instances: ${said.join('; ')}.`
}

const isOurs = (side) => side.startsWith('ours')
const titleOf = (side) => plain(TITLES[side])
const counted = (size) => `${size} instance${size === 1 ? '' : 's'}`
const short = (value) =>
  value.toLocaleString('en-US', { notation: 'compact', maximumSignificantDigits: 1 })
const round = (value) => Number(value.toFixed(1))
