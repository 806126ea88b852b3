// What many numbers come to.

/** @param {number[]} values @param {number} part 0 to 1; between two values on the straight line @returns {number} */
export function percentile(values, part) {
  if (values.length === 0) throw new Error('there are no samples')
  const sorted = values.toSorted((one, other) => one - other)
  const place = (sorted.length - 1) * part
  const below = sorted[Math.floor(place)]
  return below + (sorted[Math.ceil(place)] - below) * (place - Math.floor(place))
}

export const median = (values) => percentile(values, 0.5)
