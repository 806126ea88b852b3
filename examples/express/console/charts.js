// Charts as SVG, drawn anew at the width that there is.

const NAMESPACE = 'http://www.w3.org/2000/svg'
const HEIGHT = 150
const EDGE = { top: 10, right: 10, bottom: 22, left: 52 }
const SPAN_MS = 180_000
const READS = 300
const SLOTS = 20

/** @param {HTMLElement} plot @param {Array<{ at: number, rate: number }>} points */
export function drawRate(plot, points, at, words) {
  const area = frame(plot, words, {
    ticks: [0, 0.5, 1].map((rate) => [rate, `${rate * 100} %`]),
    ends: ['3 min ago', 'now'],
  })
  const places = points
    .filter((point) => at - point.at <= SPAN_MS)
    .map((point) => [area.x(1 - (at - point.at) / SPAN_MS), area.y(point.rate)])
  if (places.length === 0) return
  area.add('polyline', { points: places.map((place) => place.join(',')).join(' '), class: 'line' })
  const [x, y] = places.at(-1)
  area.add('circle', { cx: x, cy: y, r: 3, class: 'mark' })
}

/** @param {Array<{ ms: number, tier: string }>} reads the oldest first */
export function drawLatency(plot, reads, words) {
  const scale = logarithmic(0.01, 1000)
  const area = frame(plot, words, {
    ticks: [0.01, 0.1, 1, 10, 100, 1000].map((ms) => [scale(ms), `${ms} ms`]),
    ends: reads.length > 1 ? ['older', 'newest'] : ['', ''],
  })
  const latest = reads.slice(-READS)
  latest.forEach(({ ms, tier }, index) => {
    // The newest is at the right, as time is in the first chart.
    const cx = area.x((READS - latest.length + index + 0.5) / READS)
    const shape = tier === 'memory' ? { r: 2, class: 'mark' } : { r: 3, class: 'mark other' }
    area.add('circle', { cx, cy: area.y(scale(ms)), ...shape })
  })
}

/** @param {Array<{ instances: object[] }>} invalidations the oldest first */
export function drawPropagation(plot, invalidations, words) {
  const scale = logarithmic(0.1, 3000)
  const area = frame(plot, words, {
    ticks: [0.1, 1, 10, 100, 1000].map((ms) => [scale(ms), `${ms} ms`]),
    ends: invalidations.length > 1 ? ['older', 'newest'] : ['', ''],
  })
  invalidations.forEach(({ instances }, index) => {
    const slot = SLOTS - invalidations.length + index + 0.5
    instances.forEach(({ by, confirmedAfterMs }, place) => {
      const apart = Math.max(-6, Math.min(6, (place - (instances.length - 1) / 2) * 4))
      const x = area.x(slot / SLOTS) + apart
      const y = area.y(confirmedAfterMs === null ? 1 : scale(confirmedAfterMs))
      mark(area, by ?? 'open', x, y)
    })
  })
}

/** Told apart by their shapes, too. */
function mark(area, kind, x, y) {
  if (kind === 'ack') area.add('circle', { cx: x, cy: y, r: 2.5, class: 'mark' })
  else if (kind === 'lease-expired')
    area.add('rect', { x: x - 3, y: y - 3, width: 6, height: 6, class: 'mark late' })
  else if (kind === 'gone') area.add('path', { d: `M${x - 3},${y}h6`, class: 'mark gone' })
  else area.add('path', { d: `M${x - 3},${y - 3}l6,6m0,-6l-6,6`, class: 'mark failed' })
}

function logarithmic(least, most) {
  const decades = Math.log10(most / least)
  return (value) => Math.log10(Math.max(least, Math.min(most, value)) / least) / decades
}

/** Axes; `x` and `y` turn shares of the area into places. */
function frame(plot, words, { ticks, ends }) {
  const width = Math.max(240, plot.clientWidth)
  const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom }
  const svg = element('svg', {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    role: 'img',
    'aria-label': words,
  })
  const area = {
    x: (share) => EDGE.left + share * inner.width,
    y: (share) => EDGE.top + (1 - share) * inner.height,
    add: (name, attributes) => svg.append(element(name, attributes)),
  }
  for (const [share, label] of ticks) {
    const y = area.y(share)
    area.add('line', { x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y, class: 'grid' })
    svg.append(text(label, { x: EDGE.left - 8, y: y + 3.5, 'text-anchor': 'end' }))
  }
  const [first, last] = ends
  svg.append(text(first, { x: EDGE.left, y: HEIGHT - 5 }))
  svg.append(text(last, { x: width - EDGE.right, y: HEIGHT - 5, 'text-anchor': 'end' }))
  plot.replaceChildren(svg)
  return area
}

function element(name, attributes) {
  const made = document.createElementNS(NAMESPACE, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

function text(words, attributes) {
  const made = element('text', attributes)
  made.textContent = words
  return made
}
