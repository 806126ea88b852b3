// The sync token: how far the database had come for an answer, for "read your writes" across replicas.
//
// Opaque to clients; inside, the name of this bridge's life and a position in fixed width, so that later tokens compare
// greater as text as well.

import { randomBytes } from 'node:crypto'

export class SyncTokens {
  #life = randomBytes(4).toString('hex')
  #newest = 0

  /** The token for an answer made from the state at `position`; without one, the newest that was given out. */
  at(position = this.#newest) {
    this.#newest = Math.max(this.#newest, position)
    return this.#text(position)
  }

  /**
   * The position that a client's token stands for: a replica serving it must have come at least that far.
   *
   * @param {string | undefined} token an empty one, none, or one that was not given out here asks for nothing
   * @returns {number | null}
   */
  position(token = '') {
    const position = parseInt(token.split('.')[1], 16)
    return position <= this.#newest && token === this.#text(position) ? position : null
  }

  #text(position) {
    return `${this.#life}.${position.toString(16).padStart(12, '0')}`
  }
}
