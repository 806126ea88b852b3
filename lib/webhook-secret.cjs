// The secret that a webhook is verified with. As with the other options, a wrong one is the program's mistake and throws; a wrong
// variable is the operator's, and a warning.

const VARIABLE = 'SUPABASE_WEBHOOK_SECRET'
const MIN_CHARACTERS = 32
const RULE = `must have at least ${MIN_CHARACTERS} characters, such as \`openssl rand -hex 32\` gives`

/**
 * @param {import('./options.cjs').Options} options
 * @param {(message: string) => void} warn
 * @returns {() => string | undefined} reads the variable when it is first called
 */
exports.secretOf = (options, warn) => {
  const option = options.typed('webhookSecret', 'string')?.trim()
  if (option !== undefined) {
    if (isTooShort(option)) throw options.refusal('webhookSecret', 'too short', RULE)
    return () => option
  }
  let read
  return () => {
    read ??= { secret: ofEnvironment(warn) }
    return read.secret
  }
}

const isTooShort = (secret) => secret.length < MIN_CHARACTERS

function ofEnvironment(warn) {
  const secret = process.env[VARIABLE]?.trim()
  if (!secret) return undefined
  if (!isTooShort(secret)) return secret
  warn(`No webhook is accepted: ${VARIABLE} (webhookSecret) ${RULE}`)
  return undefined
}
