// `cache.get / set / del`: JSON values under keys of the server's choice, written and read as `@upstash/redis` does.
const { argumentInvalid } = require('./errors.cjs')

const MAX_KEY_BYTES = 32_768
const DEFAULT_TTL_SECONDS = 300
const MAX_TTL_SECONDS = 31_536_000

exports.keyOf = (key) => {
  if (typeof key === 'string' && key !== '' && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key
  throw argumentInvalid(`the key must be a string of 1 to ${MAX_KEY_BYTES} bytes`)
}

exports.ttlOf = (ttlSeconds = DEFAULT_TTL_SECONDS) => {
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= MAX_TTL_SECONDS)
    return ttlSeconds
  throw argumentInvalid(`ttlSeconds must be a whole number from 1 to ${MAX_TTL_SECONDS}`)
}

/** Strings go as they are, everything else as JSON. */
exports.encodedText = (value) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (text !== undefined) return text
  throw argumentInvalid(
    'the value is one that JSON has no text for; give a string, number, boolean, null, array or object',
  )
}

/**
 * What is no JSON comes back as the string it is, and so does a number that JavaScript would change. What does not even begin like
 * JSON is not tried: an exception costs more than the whole read.
 */
exports.decodedText = (text) => {
  if (!/^\s*["[{\-\dtfn]/.test(text)) return text
  try {
    const value = JSON.parse(text)
    return typeof value === 'number' && String(value) !== text ? text : value
  } catch {
    return text
  }
}
