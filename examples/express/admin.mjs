// Who may use the routes of the admin console, and how often.

import { createHash, timingSafeEqual } from 'node:crypto'
import { rateLimit } from 'express-rate-limit'

const REQUESTS_PER_MINUTE = 600

/**
 * What stands in front of an admin route: the token, and at most 600 requests a minute of one address.
 *
 * @param {string} [token] to be sent as `authorization: Bearer <token>`; without one, everybody is let through
 */
export function adminOnly(token) {
  const limit = rateLimit({
    windowMs: 60_000,
    limit: REQUESTS_PER_MINUTE,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    message: { error: 'Too many requests: try again in a minute' },
  })
  // Who has no token uses up nobody's requests.
  return token ? [requireToken(token), limit] : [limit]
}

function requireToken(token) {
  const expected = digest(token)
  return (request, response, next) => {
    const [, given = ''] = /^Bearer +(.+)$/i.exec(request.get('authorization') ?? '') ?? []
    // Digests are of one length, and the comparison takes the same time wherever they differ.
    if (timingSafeEqual(digest(given), expected)) return next()
    const error = 'Not authorised: send ADMIN_TOKEN as authorization: Bearer <token>'
    response.status(401).set('www-authenticate', 'Bearer').json({ error })
  }
}

function digest(text) {
  return createHash('sha256').update(text).digest()
}
