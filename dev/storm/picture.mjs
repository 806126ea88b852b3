// The storm as a picture: how old the prompt was that each instance read, over time, for each program. One SVG without
// anything from outside, for light and dark, readable at the width of a phone.

import { COLUMNS } from './columns.mjs'

const WIDTH = 480
const LEFT = 44
const RIGHT = 472
const LABELS = { top: 34, height: 98 }
const PANEL = { height: 112, gap: 26 }
const FOOT = 58
const TICKS_MS = [1, 10, 100, 1000, 10_000]
const LIGHT = [
  '#1f6feb',
  '#bf5700',
  '#1a7f37',
  '#8250df',
  '#9a6700',
  '#0e7490',
  '#bf3989',
  '#57606a',
]
const DARK = [
  '#79b8ff',
  '#ffab70',
  '#7ee787',
  '#d2a8ff',
  '#f2cc60',
  '#67e8f9',
  '#ff9bce',
  '#c9d1d9',
]

/**
 * @param {object[]} runs those with faults, with their `staleness`
 * @param {{ seconds: number, boundMs: number }} options
 * @returns {string} SVG
 */
export function pictureOf(runs, { seconds, boundMs }) {
  const shown = Object.keys(COLUMNS).flatMap((name) => runs.filter(({ column }) => column === name))
  const panelsTop = LABELS.top + LABELS.height + PANEL.gap
  const bottom = panelsTop + shown.length * (PANEL.height + PANEL.gap) - PANEL.gap
  const height = bottom + FOOT
  const x = (ms) => round(LEFT + ((RIGHT - LEFT) * ms) / (seconds * 1000))
  const instances = Math.max(...shown.map(({ staleness }) => staleness.length))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">
<title id="title">How old the prompt is that a read gets, while things break</title>
<desc id="desc">${shown.map(inWords).join(' ')}</desc>
${style(instances)}
<rect class="paper" width="${WIDTH}" height="${height}"/>
<text class="head" x="10" y="20">How old the prompt is that a read gets, while things break</text>
${bands(shown[0]?.phases ?? [], { x, bottom, endMs: seconds * 1000 })}
${shown.map((run, index) => panel(run, { x, seconds, boundMs, top: panelsTop + index * (PANEL.height + PANEL.gap) })).join('\n')}
${timeAxis({ x, seconds, bottom })}
${legend(instances, bottom + 44)}
</svg>
`
}

function inWords({ column, found }) {
  return `${COLUMNS[column].title}: oldest ${inTime(found.oldestMs)}, ${found.bound} reads late by more than a second.`
}

function style(instances) {
  const dots = (colours) =>
    colours
      .slice(0, instances)
      .map((colour, index) => `.i${index}{stroke:${colour};fill:${colour}}`)
      .join('')
  return `<style>
text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#1f2328}
.head{font-size:14px;font-weight:600}.name{font-weight:600}.small{font-size:10px}.right{text-anchor:end}.middle{text-anchor:middle}
.paper{fill:#fff}.band{fill:#d4a72c;opacity:.2}.late{fill:#cf222e;opacity:.08}.line{stroke:#d0d7de}.bound{stroke:#cf222e;stroke-dasharray:4 3}
.dots{fill:none;stroke-width:2.6;stroke-linecap:round}${dots(LIGHT)}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.band{fill:#e3b341;opacity:.18}
.late{fill:#ff7b72;opacity:.1}.line{stroke:#30363d}.bound{stroke:#ff7b72}${dots(DARK)}}
path.dots{fill:none}
</style>`
}

function bands(phases, { x, bottom, endMs }) {
  const { top, height } = LABELS
  return phases
    .filter(({ toMs }) => toMs <= endMs)
    .map(({ label, fromMs, toMs }) => {
      const middle = round((x(fromMs) + x(toMs)) / 2 + 3.5)
      const width = round(x(toMs) - x(fromMs))
      return `<rect class="band" x="${x(fromMs)}" y="${top}" width="${width}" height="${bottom - top}"/>
<text class="small" transform="translate(${middle} ${top + height}) rotate(-90)">${label}</text>`
    })
    .join('\n')
}

function panel({ column, found, staleness }, { x, seconds, boundMs, top }) {
  const y = (ms) => heightOf(ms, top)
  const lines = TICKS_MS.map(
    (ms) =>
      `<path class="line" d="M${LEFT} ${y(ms)}H${RIGHT}"/><text class="small right" x="${LEFT - 4}" y="${y(ms) + 3.5}">${inTime(ms)}</text>`,
  )
  const sliceMs = (seconds * 1000) / staleness[0].length
  const dots = staleness.map((slices, instance) => {
    const points = slices.map((ms, slice) =>
      ms > 0 ? `M${x((slice + 0.5) * sliceMs)} ${y(ms)}h0` : '',
    )
    return `<path class="dots i${instance}" d="${points.join('') || 'M0 0'}"/>`
  })
  const said = found.bound > 0 ? `${found.bound} reads late by more than 1 s` : 'none late'
  return `<rect class="late" x="${LEFT}" y="${top}" width="${RIGHT - LEFT}" height="${round(y(boundMs) - top)}"/>
${lines.join('\n')}
<path class="bound" d="M${LEFT} ${y(boundMs)}H${RIGHT}"/>
<text class="name" x="${LEFT}" y="${top - 6}">${COLUMNS[column].title}</text>
<text class="right" x="${RIGHT}" y="${top - 6}">oldest ${inTime(found.oldestMs)}, ${said}</text>
${dots.join('\n')}`
}

// Logarithmic: a millisecond and ten seconds are to be seen in one picture.
function heightOf(ms, top) {
  const decades = Math.log10(30_000)
  const part = Math.log10(Math.min(30_000, Math.max(1, ms))) / decades
  return round(top + PANEL.height * (1 - part))
}

function timeAxis({ x, seconds, bottom }) {
  const step = [1, 2, 5, 10, 20, 60, 120].find((one) => seconds / one <= 8) ?? 300
  const ticks = []
  for (let at = 0; at <= seconds; at += step)
    ticks.push(`<text class="small middle" x="${x(at * 1000)}" y="${bottom + 14}">${at} s</text>`)
  return ticks.join('\n')
}

function legend(instances, y) {
  const each = (RIGHT - LEFT) / instances
  return Array.from({ length: instances }, (_, index) => {
    const at = round(LEFT + index * each)
    const words = instances > 4 ? index + 1 : `instance ${index + 1}`
    return `<circle class="i${index}" cx="${at + 4}" cy="${y - 4}" r="3"/><text x="${at + 12}" y="${y}">${words}</text>`
  }).join('\n')
}

const inTime = (ms) =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toPrecision(2))} s`
const round = (value) => Number(value.toFixed(1))
