// /subscribe and /psubscribe: Redis pub/sub as server-sent events. Payloads are plain text, never base64; there are no
// ids and no replay.

import { ERRORS, Refusal } from './errors.mjs'

/**
 * Answers a subscription request with an event stream, until one side ends it. Each stream is a subscriber of its own
 * for PUBLISH's count, as each is in the real service.
 */
export async function subscribe({ store, channels, pattern, request, response, streams, headers }) {
  if (channels.length === 0)
    throw new Refusal(400, `ERR wrong number of arguments for '${verb(pattern)}' command`)
  if (!(request.headers.accept ?? '').includes('text/event-stream'))
    throw new Refusal(400, ERRORS.eventStream)

  // Messages that arrive between the subscription and its confirmation wait, so that the order on the wire is right.
  const early = []
  let send = (frame) => early.push(frame)
  const subscription = store.subscribe({
    channels,
    pattern,
    onMessage: (matched, channel, payload) => send(frameOf(matched, channel, payload)),
  })
  const unsubscribe = await subscription.catch((error) => {
    // Redis's own answer, as that of a token that may not subscribe here.
    throw error.name === 'ReplyError' ? new Refusal(400, error.message) : error
  })
  if (response.destroyed) return unsubscribe()

  const stream = streams.open(response, headers)
  stream.closed.then(unsubscribe)
  channels.forEach((channel, index) => stream.send(`${verb(pattern)},${channel},${index + 1}`))
  for (const frame of early) stream.send(frame)
  send = stream.send
}

const verb = (pattern) => (pattern ? 'psubscribe' : 'subscribe')

function frameOf(pattern, channel, payload) {
  const head = pattern ? `pmessage,${pattern},${channel},` : `message,${channel},`
  return Buffer.concat([Buffer.from(head), payload])
}
