// The options of a cache: the addon checks its own, and the secret of the webhooks stays here.
const { Options } = require('./options.cjs')
const { warner } = require('./warning.cjs')
const { secretOf } = require('./webhook-secret.cjs')

const OF_THE_ADDON = [
  'upstashUrl',
  'upstashToken',
  'supabaseUrl',
  'supabaseKey',
  'keyPrefix',
  'signingKey',
  'secondSigningKey',
  'maxStalenessMs',
  'redisTimeoutMs',
  'sourceTimeoutMs',
  'maxEntries',
  'maxBytes',
  'push',
  'logLevel',
  'onLog',
]
const NAMES = [...OF_THE_ADDON, 'webhookSecret']

/** @returns {{ native: object, secret: () => string | undefined, warn: (message: string) => void }} */
exports.cacheOptions = (given = {}) => {
  const options = new Options(given, NAMES).known()
  const native = options.pick(OF_THE_ADDON)
  const warn = warner(native)
  return { native, secret: secretOf(options, warn), warn }
}
