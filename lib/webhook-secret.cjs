// The secret that a webhook is verified with. As with the other options, a wrong one is the program's mistake and throws; a wrong
// variable is the operator's, and a warning.

const VARIABLE = 'SUPABASE_WEBHOOK_SECRET'
const MIN_CHARACTERS = 32
const RULE = `must have at least ${MIN_CHARACTERS} characters, such as \`openssl rand -hex 32\` gives`

/**
 * @param {import('./options.cjs').Options} options
 * @param {{ logLevel?: string, onLog?: Function }} log
 * @returns {() => string | undefined} reads the variable when it is first called
 */
exports.secretOf = (options, log) => {
  const option = options.typed('webhookSecret', 'string')?.trim()
  if (option !== undefined) {
    if (isTooShort(option)) throw options.refusal('webhookSecret', 'too short', RULE)
    return () => option
  }
  let read
  return () => {
    read ??= { secret: ofEnvironment(log) }
    return read.secret
  }
}

const isTooShort = (secret) => secret.length < MIN_CHARACTERS

function ofEnvironment(log) {
  const secret = process.env[VARIABLE]?.trim()
  if (!secret) return undefined
  if (!isTooShort(secret)) return secret
  warn(log, `[Cache] No webhook is accepted: ${VARIABLE} (webhookSecret) ${RULE}`)
  return undefined
}

function warn({ logLevel, onLog }, message) {
  if (logLevel === 'error' || logLevel === 'silent') return
  try {
    // What the user's function rejects with is its own affair, as what it throws.
    if (onLog) Promise.resolve(onLog({ level: 'warn', message })).catch(() => {})
    else console.warn(message)
  } catch {}
}
