// Replies of Redis as bodies: JSON, JSON with base64 strings, raw RESP2.
//
// A reply is what ioredis' Buffer API gives with `stringNumbers`: a Buffer for a string, a string of digits (from the
// embedded store a number) for an integer, null, an Error, or an array of these.

const OK = Buffer.from('OK')

// RESP2 tells status replies (+OK) from strings ($2 OK); ioredis does not. So they are told by the command.
const STATUS_COMMANDS = new Set(
  'set setex psetex mset hmset lset ltrim rename flushall flushdb ping type config eval evalsha select'.split(
    ' ',
  ),
)
const STATUS_TEXT = /^(OK|PONG|none|string|list|set|zset|hash|stream)$/

/** `{"result": …}` or `{"error": …}`. Integers keep all their digits. */
export function jsonAnswer(reply, { base64 }) {
  if (reply instanceof Error) return `{"error":${JSON.stringify(reply.message)}}`
  return `{"result":${json(reply, base64)}}`
}

/** `[{"result": …}, {"error": …}]`. */
export function jsonAnswers(replies, options) {
  return `[${replies.map((reply) => jsonAnswer(reply, options)).join(',')}]`
}

function json(reply, base64) {
  if (reply === null) return 'null'
  if (Buffer.isBuffer(reply)) {
    // Bytes that are not UTF-8 become U+FFFD without the base64 header, as they do in the real service.
    const encoded = base64 && !reply.equals(OK) ? reply.toString('base64') : reply.toString('utf8')
    return JSON.stringify(encoded)
  }
  if (Array.isArray(reply)) return `[${reply.map((item) => json(item, base64)).join(',')}]`
  return reply instanceof Error ? JSON.stringify(reply.message) : String(reply)
}

/** A reply in RESP2. @param {string} name the command it answers, in lower case */
export function resp2(reply, name) {
  if (reply === null) return Buffer.from('$-1\r\n')
  if (reply instanceof Error) return Buffer.from(`-${reply.message.replace(/[\r\n]+/g, ' ')}\r\n`)
  if (Array.isArray(reply)) {
    return Buffer.concat([
      Buffer.from(`*${reply.length}\r\n`),
      ...reply.map((item) => resp2(item, name)),
    ])
  }
  if (!Buffer.isBuffer(reply)) return Buffer.from(`:${reply}\r\n`)
  if (STATUS_COMMANDS.has(name) && STATUS_TEXT.test(reply.toString('latin1')))
    return Buffer.from(`+${reply}\r\n`)
  return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')])
}
