// Whether a webhook comes from who has the secret: it shows the secret, or is signed with it (standardwebhooks.com).
const { createHash, createHmac, timingSafeEqual } = require('node:crypto')
const { Refusal } = require('./refusal.cjs')

/** How far the sender's clock may be off, and how long a signed webhook may be sent again. */
const TOLERANCE_SECONDS = 300
const ENCODED_KEY = 'whsec_'
/** Of one webhook; a sender that changes its secret has two. */
const MOST_SIGNATURES = 8

/** @param {(name: string) => string | undefined} header @param {string} secret */
exports.hasSecret = (header, secret) => {
  const authorization = header('authorization')
  const bearer = /^bearer /i.test(authorization) ? authorization.slice(7).trim() : undefined
  return [bearer, header('x-webhook-secret')].some(
    (shown) => shown !== undefined && isSame(shown, secret),
  )
}

/** Whether it claims to be signed. @param {(name: string) => string | undefined} header */
exports.hasSignature = (header) => header('webhook-signature') !== undefined

/** Throws unless one of its signatures is of this body, and of now. */
exports.verifySignature = (header, { bytes }, secret) => {
  if (!bytes) throw new Refusal(401, 'a signature is of bytes, and the body was parsed before')
  const [id, timestamp] = [header('webhook-id'), header('webhook-timestamp')]
  const expected = `v1,${signatureOf({ id, timestamp, bytes }, secret)}`
  const signatures = header('webhook-signature').split(' ', MOST_SIGNATURES)
  if (!signatures.some((signature) => isSame(signature, expected)))
    throw new Refusal(401, 'not verified')
  // Last, so that only who has the secret is told of his clock.
  if (!(Math.abs(Date.now() / 1000 - timestamp) <= TOLERANCE_SECONDS))
    throw new Refusal(401, `the timestamp is more than ${TOLERANCE_SECONDS} s off`)
}

function signatureOf({ id, timestamp, bytes }, secret) {
  const key = secret.startsWith(ENCODED_KEY)
    ? Buffer.from(secret.slice(ENCODED_KEY.length), 'base64')
    : secret
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes).digest('base64')
}

/** In a time that tells nothing, not even the length: what is compared are digests. */
function isSame(one, other) {
  const digest = (text) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}
