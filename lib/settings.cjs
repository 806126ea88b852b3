// What a cache is configured with: the options of a program and the variables of its environment.
//
// A wrong option is a mistake in the program and throws. A wrong variable is the operator's: it switches its tier off with a
// reason for the log, because a chat must start all the same.
const { brokenSecretRule, brokenTokenRule, checked, parsedUrl } = require('./option-rules.cjs')
const { cacheOptions } = require('./option-schema.cjs')

const SCHEMA = Object.fromEntries(cacheOptions.map((option) => [option.name, option]))

/** As messages to the operator name an option. */
const named = (option) => `${SCHEMA[option].variable} (${option})`

/**
 * The options that were given. `undefined` is the same as leaving one out.
 *
 * @param {unknown} given
 * @returns {object}
 * @throws {CacheError} `CONFIG_INVALID`
 */
exports.checkedOptions = (given) => (given === undefined ? {} : checked(given, cacheOptions))

/**
 * Where a tier is, or why it is off.
 *
 * @typedef {{ url: string, token: string } | { reason: string }} Place
 *
 * What the addon needs to know, as plain data. It does not hold `legacySource`, `onLog` and the secret of the webhooks.
 *
 * @typedef {object} Settings
 * @property {Place} store
 * @property {Place} supabase
 * @property {string | null} promptFile
 * @property {string | null} fallbackPrompt
 * @property {string} keyPrefix
 * @property {[string] | [string, string] | null} signingKeys the first one signs
 * @property {number} ttlSeconds
 * @property {number} maxStalenessMs
 * @property {number} redisTimeoutMs
 * @property {number} sourceTimeoutMs
 * @property {number} maxEntries
 * @property {number} maxBytes
 * @property {boolean} push
 * @property {'debug' | 'info' | 'warn' | 'error' | 'silent'} logLevel
 * @property {string | null} extraRoots path of a file with further root certificates
 */

/**
 * @param {object} options as {@link exports.checkedOptions} gives them; each comes before its variable
 * @param {Record<string, string | undefined>} env
 * @returns {Settings}
 * @throws {CacheError} `CONFIG_INVALID` if the environment cannot be read
 */
exports.settingsOf = (options, env) => {
  const variable = variablesOf(env)
  const text = textsOf(options, variable)
  const signing = signingOf(text('signingKey'), text('secondSigningKey'))
  return {
    store: signing.reason
      ? { reason: signing.reason }
      : placeOf(text, 'upstashUrl', 'upstashToken'),
    supabase: placeOf(text, 'supabaseUrl', 'supabaseKey'),
    promptFile: text('promptFile') || null,
    fallbackPrompt: fallbackOf(options, variable),
    keyPrefix: valueOf(options, 'keyPrefix'),
    signingKeys: signing.keys,
    ttlSeconds: valueOf(options, 'ttlSeconds'),
    maxStalenessMs: valueOf(options, 'maxStalenessMs'),
    redisTimeoutMs: valueOf(options, 'redisTimeoutMs'),
    sourceTimeoutMs: valueOf(options, 'sourceTimeoutMs'),
    maxEntries: valueOf(options, 'maxEntries'),
    maxBytes: valueOf(options, 'maxBytes'),
    push: valueOf(options, 'push'),
    logLevel: valueOf(options, 'logLevel'),
    extraRoots: variable('NODE_EXTRA_CA_CERTS') || null,
  }
}

/**
 * The secret that webhooks are verified with.
 *
 * @param {object} options as {@link exports.checkedOptions} gives them
 * @param {Record<string, string | undefined>} env
 * @returns {{ secret: string | null, warning: string | null }} `warning`: for the log, if the variable cannot be used
 * @throws {CacheError} `CONFIG_INVALID` if the environment cannot be read
 */
exports.webhookSecretOf = (options, env) => {
  const secret = textsOf(options, variablesOf(env))('webhookSecret')
  if (!secret) return { secret: null, warning: null }
  const rule = brokenSecretRule(secret)
  return rule
    ? { secret: null, warning: `No webhook is accepted: ${named('webhookSecret')} ${rule}` }
    : { secret, warning: null }
}

/** The environment of the program, which some runtimes and sandboxes do not give. */
exports.environment = () => {
  try {
    return process.env
  } catch (error) {
    throw unreadable(error)
  }
}

/** @returns {(name: string) => string | undefined} */
function variablesOf(env) {
  return (name) => {
    let value
    try {
      value = env[name]
    } catch (error) {
      throw unreadable(error)
    }
    // JSON for the addon cannot hold half of a surrogate pair.
    return typeof value === 'string' ? value.toWellFormed() : undefined
  }
}

function unreadable(error) {
  const { causeOf } = require('./encoding.cjs')
  const { CacheError } = require('./errors.cjs')
  const cause = causeOf(error)
  const message = `process.env cannot be used here: ${cause.message}`
  return new CacheError('CONFIG_INVALID', message, { cause })
}

/** Reads a text: the option, else its variable, without white space around it. */
function textsOf(options, variable) {
  return (name) => {
    const text = options[name] ?? variable(SCHEMA[name].variable)
    return text?.trim().toWellFormed()
  }
}

const valueOf = (options, name) => options[name] ?? SCHEMA[name].default

/** @returns {Place} */
function placeOf(text, urlName, tokenName) {
  const [address, token] = [text(urlName), text(tokenName)]
  // Whoever emptied it wants to read that it worked.
  if (!address) return { reason: `${named(urlName)} is ${address === '' ? 'empty' : 'not set'}` }
  if (!token) return { reason: `${named(urlName)} is set, but ${named(tokenName)} is not` }
  const tokenRule = brokenTokenRule(token)
  if (tokenRule) return { reason: `${named(tokenName)} ${tokenRule}` }
  const { url, rule } = parsedUrl(address)
  return url ? { url: url.href, token } : { reason: `${named(urlName)} ${rule}` }
}

/** The keys, and why nothing can be shared with them. An empty first key is a secret that did not arrive, so it is not left out. */
function signingOf(first, second) {
  const keys = first === undefined ? null : second ? [first, second] : [first]
  const rule = (name, key) => {
    const broken = brokenSecretRule(key)
    return broken && `${named(name)} ${broken}`
  }
  const reason =
    (first !== undefined && rule('signingKey', first)) ||
    (second && rule('secondSigningKey', second)) ||
    (second && !keys && `${named('secondSigningKey')} is set, but ${named('signingKey')} is not`)
  return { keys, reason }
}

/** A prompt is text: the white space around it is kept. */
function fallbackOf(options, variable) {
  const given = options.fallbackPrompt?.toWellFormed()
  if (given !== undefined) return given
  const prompt = variable(SCHEMA.fallbackPrompt.variable)
  return prompt?.trim() ? prompt : null
}
