// What people are shown of a cache.

/** @param {object} examined as the addon gives it @returns {object} a `CacheDebug` */
exports.debugOf = ({ redis: { ttlSeconds: _, ...redis }, fleet, stats }) => {
  const isCounter = ([name, value]) => typeof value === 'number' && name !== 'hitRate'
  const pairs = Object.entries(stats)
  return {
    redis,
    fleet,
    counters: Object.fromEntries(pairs.filter(isCounter)),
    ...Object.fromEntries(pairs.filter((pair) => !isCounter(pair))),
  }
}
