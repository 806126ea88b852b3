// What a soak does over and over, and how often.

/**
 * Reconnects of one cache, and caches side by side. The pause before a stream is opened again doubles while streams end at
 * once, so many caches share the reconnects.
 */
export const RECONNECTS_EACH = 3
export const CACHES_AT_ONCE = 200

/**
 * `most`: of what `--<name>` may ask; `standard`: without that option; `title` of its row; `ends`: whether the server ends
 * each push stream right after it was confirmed.
 */
export const PHASES = {
  reconnects: {
    title: 'push streams opened again after the server ended them',
    standard: 1000,
    most: 10_000_000,
    ends: true,
  },
  reads: { title: 'reads that ask the store, 16 at a time', standard: 100_000, most: 1e9 },
  hits: { title: 'reads under a lease', standard: 1_000_000, most: 1e10 },
  invalidations: {
    title: 'invalidations, each heard of by a second cache',
    standard: 1000,
    most: 10_000_000,
  },
  caches: { title: 'caches made and used, half closed, half dropped', standard: 1000, most: 1e7 },
  workers: { title: 'worker threads that use it, a third terminated', standard: 48, most: 1e6 },
}
