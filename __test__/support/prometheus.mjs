// Prometheus' text format 0.0.4, read more strictly than Prometheus does: what its parsers merely put up with is an error here.
// (https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md)

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|$)/
const ENDINGS = { counter: [''], gauge: [''], histogram: ['_bucket', '_sum', '_count'] }

/**
 * @param {string} text
 * @returns {Map<string, { type: string, samples: { name: string, labels: Record<string, string>, value: number }[] }>} by the name
 *   of the family; throws where the text is not in order, with the line or the family and what is wrong
 */
export function readExposition(text) {
  const families = new Map()
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const lines = text.slice(0, -1).split('\n')
  let open = ''
  for (const [index, line] of lines.entries()) {
    const fail = (problem) => {
      throw new Error(`line ${index + 1}: ${problem}: ${line}`)
    }
    const [, kind, name, rest] = line.match(/^# (HELP|TYPE) (\S+) (.+)$/) ?? []
    if (kind === 'HELP') {
      if (!NAME.test(name)) fail('no name')
      if (families.has(name)) fail('a second HELP')
      if (/\\(?![\\n])/.test(rest)) fail('no escape')
      families.set(name, { type: '', samples: [] })
      open = name
    } else if (kind === 'TYPE') {
      if (name !== open) fail('not after its HELP')
      const family = families.get(name)
      if (family.type) fail('a second TYPE')
      if (!ENDINGS[rest]) fail('no type')
      if ((rest === 'counter') !== name.endsWith('_total')) fail('a counter ends in _total')
      family.type = rest
    } else {
      const family = families.get(open)
      if (!family?.type) fail('not after a TYPE')
      const sample = sampleOf(line) ?? fail('no sample')
      if (!ENDINGS[family.type].some((ending) => sample.name === open + ending))
        fail(`not of ${open}`)
      if (family.samples.some((other) => seriesOf(other) === seriesOf(sample))) fail('twice')
      if (family.type !== 'gauge' && !(sample.value >= 0 && sample.value < Infinity))
        fail('not a count')
      family.samples.push(sample)
    }
  }
  for (const [name, family] of families) {
    if (family.samples.length === 0) throw new Error(`${name} has no sample`)
    if (family.type === 'histogram') checkHistogram(name, family)
  }
  return families
}

function sampleOf(line) {
  const [, name, list = '', number] = line.match(SAMPLE) ?? []
  const value = number === '+Inf' ? Infinity : Number(number)
  if (!name || !NAME.test(name) || Number.isNaN(value)) return undefined
  const labels = {}
  for (let rest = list; rest !== '';) {
    const [whole, label, text, comma] = rest.match(LABEL) ?? []
    rest = rest.slice(whole?.length)
    // A comma at the end is allowed there, and not here.
    if (!label || label.startsWith('__') || label in labels || (comma && !rest)) return undefined
    labels[label] = text.replaceAll(/\\(.)/g, (_, sign) => (sign === 'n' ? '\n' : sign))
  }
  return { name, labels, value }
}

function checkHistogram(name, { samples }) {
  for (const set of new Set(samples.map(withoutBound))) {
    const ofSet = samples.filter((sample) => withoutBound(sample) === set)
    const fail = (problem) => {
      throw new Error(`${name} ${set}: ${problem}`)
    }
    const buckets = ofSet.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels: { le } }) => (le === '+Inf' ? Infinity : Number(le)))
    const counts = buckets.map(({ value }) => value)
    const [count, ...more] = ofSet.filter((sample) => sample.name === `${name}_count`)
    if (bounds.at(-1) !== Infinity) fail('the last bucket is not +Inf')
    if (!ascends(bounds, (one, next) => one < next)) fail('the bounds do not ascend')
    if (!ascends(counts, (one, next) => one <= next)) fail('the buckets are not cumulative')
    if (!count || more.length > 0 || count.value !== counts.at(-1)) fail('+Inf is not the count')
    if (ofSet.length !== buckets.length + 2) fail('there is no sum')
  }
}

function ascends(numbers, inOrder) {
  return numbers.every((number, index) => index === 0 || inOrder(numbers[index - 1], number))
}

const withoutBound = ({ labels: { le: _le, ...labels } }) => seriesOf({ name: '', labels })

/** What tells a series from all others. */
export function seriesOf({ name, labels }) {
  const pairs = Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify([name, ...pairs])
}

/** All samples of a page. */
export function samplesOf(families) {
  return [...families.values()].flatMap(({ samples }) => samples)
}

/** The value of the one series that has this name and these labels, whatever others it has. */
export function valueOf(families, name, labels = {}) {
  const found = samplesOf(families).filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  )
  if (found.length !== 1)
    throw new Error(`${found.length} series are ${name} ${JSON.stringify(labels)}`)
  return found[0].value
}

/** The series that only ever go up, and are less on the second page than on the first, or missing there. */
export function fallen(before, after) {
  const ups = [...before.values()].filter(({ type }) => type !== 'gauge')
  const now = new Map(samplesOf(after).map((sample) => [seriesOf(sample), sample.value]))
  return ups
    .flatMap(({ samples }) => samples)
    .filter((sample) => !(now.get(seriesOf(sample)) >= sample.value))
    .map(seriesOf)
}
