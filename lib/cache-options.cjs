// The options of a cache: the addon checks its own, and the secret of the webhooks stays here.
const { Options } = require('./options.cjs')
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

/** @returns {{ native: object, secret: () => string | undefined }} */
exports.cacheOptions = (given = {}) => {
  const options = new Options(given, NAMES).known()
  const native = options.pick(OF_THE_ADDON)
  return { native, secret: secretOf(options, native) }
}
