// Asks the server that this page came from, with the admin token where one is needed.

const TOKEN = 'grove-console-token'
const ANSWER_WITHIN_MS = 10_000

/** An answer that was none: what went wrong, and what to do about it. `status` is 0 where nobody answered. */
export class Refusal extends Error {
  constructor(status, message, advice) {
    super(message)
    this.status = status
    this.advice = advice
  }
}

// Of this tab alone, and gone with it.
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
}

export const askState = () => ask('GET', '/console/state')

export const invalidate = () => ask('POST', '/api/cache/invalidate', { type: 'system-prompt' })

export const saveEdit = (edit) => ask('POST', '/console/prompt', edit)

async function ask(method, path, body) {
  const headers = {}
  if (token.get()) headers.authorization = `Bearer ${token.get()}`
  if (body) headers['content-type'] = 'application/json'
  let response
  let answer
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
    answer = await response.json().catch(() => ({}))
  } catch {
    throw new Refusal(
      0,
      'The server does not answer.',
      'See whether it is running and can be reached; the console goes on asking.',
    )
  }
  if (response.ok) return answer
  throw refusalOf(response.status, answer)
}

function refusalOf(status, { error, code, retryable }) {
  if (status === 401)
    return new Refusal(status, 'The server did not take the token.', 'Enter its ADMIN_TOKEN.')
  if (status === 429) {
    return new Refusal(
      status,
      'Too many requests came from this address.',
      'Wait a minute, and close the console in other tabs.',
    )
  }
  if (code === 'STORE_UNAVAILABLE') {
    return new Refusal(
      status,
      `Redis did not take the invalidation (${code}), so other instances may serve the old prompt.`,
      retryable
        ? 'It is tried again in the background. When Redis is back, invalidate once more to be sure.'
        : 'Trying again will not help: see the token, the plan and the limits of the database.',
    )
  }
  const said = [error, code && `(${code})`].filter(Boolean).join(' ')
  return new Refusal(
    status,
    `The server answered with ${status}${said ? `: ${said}` : ''}.`,
    status >= 500 ? 'Its log says why.' : 'Correct the input and try again.',
  )
}
