// What people are shown of a cache.

/** @param {object} examined as the addon gives it @returns {object} a `CacheDebug` */
exports.debugOf = ({ redis, fleet, stats }) => {
  const isCounter = ([name, value]) => typeof value === 'number' && name !== 'hitRate'
  const pairs = Object.entries(stats)
  return {
    redis: withoutTtl(redis),
    fleet,
    counters: Object.fromEntries(pairs.filter(isCounter)),
    ...Object.fromEntries(pairs.filter((pair) => !isCounter(pair))),
  }
}

/** The time that a prompt has left, a `SystemPromptDebug` has alone. */
function withoutTtl(redis) {
  const shown = { ...redis }
  delete shown.ttlSeconds
  return shown
}
