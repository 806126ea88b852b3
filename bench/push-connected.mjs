// When a cache is hot: the opening of the push stream ends the lease once more.

import { until } from '../dev/until.mjs'

/** @param {{ stats(): { pushConnects: number } }} cache that was read */
export const pushConnected = (cache) =>
  until(() => cache.stats().pushConnects > 0, 'an open push stream')
