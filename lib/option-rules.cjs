// What the value of an option must be beyond its type. Each rule is a sentence without its subject, such as "must not be empty", and
// holds no part of a URL, a token or a secret.

const MIN_SECRET_BYTES = 32
const MAX_PREFIX_BYTES = 200
const QUOTED = 'must not have quotes around it'

/**
 * @param {import('./option-schema.cjs').Option} option
 * @param {unknown} value of the option's type
 * @returns {{ found: string, rule: string } | undefined} what was found, and the rule that it breaks
 */
function brokenRule(option, value) {
  const rule = BROKEN[option.rule]?.(value, option)
  return rule && { found: UNSHOWN[option.rule] ?? require('./errors.cjs').shown(value), rule }
}

/** How a value is described that must not be in a message. */
const UNSHOWN = { url: 'not usable', token: 'not usable', secret: 'too short' }

/** The broken rule, if any. */
const BROKEN = {
  url: (text) => {
    const url = text.trim()
    return url === '' ? undefined : exports.parsedUrl(url).rule
  },
  token: (text) => exports.brokenTokenRule(text.trim()),
  secret: (text) => exports.brokenSecretRule(text),
  filled: (text) => (text === '' ? 'must not be empty; leave it out for the default' : undefined),
  prefix: (text) =>
    /^[A-Za-z0-9:_.-]+$/.test(text) && text.length <= MAX_PREFIX_BYTES
      ? undefined
      : `must be 1 to ${MAX_PREFIX_BYTES} of the characters A-Z a-z 0-9 : _ . -`,
  oneOf: (text, { oneOf }) => {
    if (oneOf.includes(text)) return undefined
    return oneOf.length === 2
      ? `must be '${oneOf[0]}' or '${oneOf[1]}'`
      : `must be one of ${oneOf.join(', ')}`
  },
  whole: (number, { least, most }) =>
    Number.isInteger(number) && number >= least && number <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`,
  text: (text, { most }) =>
    exports.isText(text, most) ? undefined : `must be a well-formed string of 1 to ${most} bytes`,
}

exports.isText = (text, most) =>
  text !== '' && Buffer.byteLength(text) <= most && text.isWellFormed()

/** Of a token without white space around it; an empty one counts as left out. */
exports.brokenTokenRule = (token) => {
  if (isQuoted(token)) return QUOTED
  return /^[\x21-\x7e]*$/.test(token)
    ? undefined
    : 'must not hold white space or characters beyond ASCII'
}

exports.brokenSecretRule = (secret) =>
  Buffer.byteLength(secret.trim()) >= MIN_SECRET_BYTES
    ? undefined
    : `must have at least ${MIN_SECRET_BYTES} characters, such as \`openssl rand -hex 32\` gives`

/**
 * @param {string} text without white space around it
 * @returns {{ url: URL, rule?: undefined } | { url?: undefined, rule: string }}
 */
exports.parsedUrl = (text) => {
  if (isQuoted(text)) return { rule: QUOTED }
  if (!URL.canParse(text)) return { rule: 'must be a URL such as https://example.com' }
  const url = new URL(text)
  if (url.username || url.password) return { rule: 'must not hold a user name or a password' }
  // Not `search` and `hash`, which are empty for `https://example.com/?` too.
  if (/[?#]/.test(url.href)) return { rule: 'must not hold a query or a fragment' }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)))
    return { url }
  return { rule: 'must begin with https:// (http:// is for loopback addresses only)' }
}

const isQuoted = (text) => /^["']/.test(text)

/** Of a URL's host, in which an IP address has one form only. */
const isLoopback = (host) =>
  host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)

/**
 * The options of a call, each read once.
 *
 * @param {unknown} given
 * @param {import('./option-schema.cjs').Option[]} schema
 * @param {string} [whose] what follows the name of an option in a message, such as ` of resource lens`
 * @returns {object} those that were given; one without a type is not checked
 */
exports.checked = (given, schema, whose) => {
  const { Options } = require('./options.cjs')
  const names = schema.map(({ name }) => name)
  const options = new Options(given, names, whose).known()
  const values = {}
  for (const option of schema) {
    const { name, type, required } = option
    const value = type ? options.typed(name, type) : options.get(name)
    if (value !== undefined) {
      const broken = brokenRule(option, value)
      if (broken) throw options.refusal(name, broken.found, broken.rule)
      values[name] = value
    } else if (required && type) {
      throw options.refusal(name, 'undefined', `must be a ${type}`)
    }
  }
  return values
}
