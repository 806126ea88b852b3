// Supabase's webhooks: a change of the database comes in, what it concerns is invalidated, a reply goes out. Knows nothing of the
// addon, and never rejects: whatever goes wrong is a status for the sender.
const { environment, webhookSecretOf } = require('./settings.cjs')
const { warner } = require('./warning.cjs')
const { changeIn } = require('./webhook/change.cjs')
const { Refusal } = require('./webhook/refusal.cjs')
const { bodyOf, headersOf, LARGEST_BYTES } = require('./webhook/request.cjs')
const { concernedBy } = require('./webhook/targets.cjs')
const { hasSecret, hasSignature, verifySignature } = require('./webhook/verification.cjs')

/** Codes of an invalidation that may go through when it is sent again. */
const RETRYABLE = ['STORE_UNAVAILABLE', 'CLOSED']

/**
 * The handler of a cache.
 *
 * @param {import('./cache.cjs').SharedCache} cache
 * @param {object} given its options, checked
 * @param {Map<string, { name: string, tables: Record<string, true | Function> }>} resources those that it has by now
 */
exports.webhookOf = (cache, given, resources) => {
  const warn = warner(given)
  return exports.webhookHandler({
    secret: secretOf(given, warn),
    resources: () => resources.values(),
    invalidate: (targets) => cache.invalidate(targets),
    warn,
  })
}

/** Reads it at the first webhook, and once. */
function secretOf(given, warn) {
  let secret
  return () => {
    if (secret === undefined) {
      const read = webhookSecretOf(given, environment())
      if (read.warning) warn(read.warning)
      secret = read.secret
    }
    return secret
  }
}

/**
 * @param {object} parts
 * @param {() => string | null} parts.secret asked for each request
 * @param {() => Iterable<{ name: string, tables?: Record<string, true | Function> }>} parts.resources
 * @param {(targets: { entries: Record<string, string[]>, resources: string[], tags: string[] }) => Promise<unknown>} parts.invalidate
 *   called once for each webhook
 * @param {(message: string) => void} [parts.warn] told what the sender cannot mend: a map that failed, a mistake of this package
 * @returns {(request: object) => Promise<{ status: number, body: object }>}
 */
exports.webhookHandler =
  ({ secret, resources, invalidate, warn = () => {} }) =>
  async (request) => {
    try {
      const change = changeIn(await verifiedBody(request, secret()))
      const { targets, mapped, widened } = concernedBy(change, resources(), warn)
      await taken(invalidate, targets)
      const body = { invalidated: countsOf(targets) }
      if (!mapped) body.ignored = true
      if (widened.length > 0) body.widened = widened
      return { status: 200, body }
    } catch (error) {
      if (error instanceof Refusal) return { status: error.status, body: error.body }
      warn(`a webhook was not handled (${error?.name})`)
      return { status: 500, body: { error: 'the webhook was not handled' } }
    }
  }

/** The body, once it is known to come from who has the secret: as an object if somebody parsed it before, else its bytes. */
async function verifiedBody(request, secret) {
  if (!secret) throw new Refusal(500, 'no webhook secret is configured')
  const header = headersOf(request)
  const trusted = hasSecret(header, secret)
  // Nothing is read for somebody who shows neither.
  if (!trusted && !hasSignature(header)) throw new Refusal(401, 'not verified')
  const body = await bodyOf(request, header)
  if (body.bytes?.length > LARGEST_BYTES) throw new Refusal(413, 'the body is over 1 MiB')
  if (!trusted) verifySignature(header, body, secret)
  return body
}

async function taken(invalidate, targets) {
  try {
    await invalidate(targets)
  } catch (error) {
    const code = error?.code
    if (!RETRYABLE.includes(code)) throw error
    throw new Refusal(503, 'the invalidation did not reach the store', { code, retryable: true })
  }
}

function countsOf({ entries, resources, tags }) {
  const ids = Object.values(entries).flat()
  return { entries: ids.length, resources: resources.length, tags: tags.length }
}
