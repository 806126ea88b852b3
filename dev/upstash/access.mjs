// Who is asking: the bearer token or `?_token=`.

import { ERRORS, Refusal } from './errors.mjs'

export class Access {
  #token
  #readOnlyToken

  constructor({ token, readOnlyToken }) {
    this.#token = token
    this.#readOnlyToken = readOnlyToken
  }

  /** @returns {{ readOnly: boolean }} @throws {Refusal} */
  check(request, query) {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const presented = bearer ?? query.get('_token')
    if (presented === this.#token) return { readOnly: false }
    if (presented === this.#readOnlyToken) return { readOnly: true }
    throw new Refusal(401, ERRORS.auth)
  }
}
