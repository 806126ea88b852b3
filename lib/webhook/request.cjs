// The headers and the body of a request, in each form that servers have them.
const { Refusal } = require('./refusal.cjs')

const LARGEST_BYTES = 1024 * 1024
exports.LARGEST_BYTES = LARGEST_BYTES

/** @returns {(name: string) => string | undefined} gives a header by its name in lower case */
exports.headersOf = (request) => {
  const headers = request?.headers ?? {}
  if (typeof headers.get === 'function') return (name) => headers.get(name) ?? undefined
  const values = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return (name) => {
    const value = values.get(name)
    return typeof value === 'string' ? value : undefined
  }
}

/**
 * @param {object} request a Fetch Request, Node's or Express's, or `{ headers, body }`
 * @param {(name: string) => string | undefined} header
 * @returns {Promise<{ bytes?: Buffer, parsed?: object }>} one of them; more bytes than the largest where there are too many
 */
exports.bodyOf = async (request, header) => {
  const body = request.rawBody ?? request.body
  if (typeof body === 'string') return { bytes: Buffer.from(body) }
  if (body instanceof Uint8Array) return { bytes: Buffer.from(body) }
  const stream = unreadStream(request)
  if (stream) return { bytes: await bytesOf(stream, Number(header('content-length'))) }
  // Looked at after the stream: Express's parsers leave {} where they did not parse.
  if (body && typeof body === 'object' && !isStream(body)) return { parsed: body }
  throw new Refusal(400, 'there is no body, or it was read before')
}

const isStream = (body) => typeof body.getReader === 'function'

/** What is still to be read, chunk by chunk; undefined if nothing is. */
function unreadStream(request) {
  const { body } = request
  if (body && isStream(body) && !request.bodyUsed && !body.locked) return body
  return request.readableDidRead === false ? request : undefined
}

async function bytesOf(stream, announced) {
  if (announced > LARGEST_BYTES) throw new Refusal(413, 'the body is over 1 MiB')
  const chunks = []
  let length = 0
  try {
    for await (const chunk of stream) {
      chunks.push(Buffer.from(chunk))
      length += chunk.length
      // Node lets a reply go out on a request that is left like this.
      if (length > LARGEST_BYTES) break
    }
  } catch {
    throw new Refusal(400, 'the body was cut off')
  }
  return Buffer.concat(chunks)
}
