// The sync token: how far the database has come, for "read your writes" across replicas.
//
// Opaque to clients; inside, the name of this database's life and a counter of writes in fixed width, so that later
// tokens compare greater as text as well.

import { randomBytes } from 'node:crypto'

export class SyncClock {
  #life = randomBytes(4).toString('hex')
  #writes = 0

  /** Called after each write. */
  advance() {
    this.#writes += 1
  }

  /** The token for an answer that leaves now. */
  token() {
    return `${this.#life}.${this.#writes.toString(16).padStart(12, '0')}`
  }

  /**
   * The position that a client's token stands for: a replica serving it must have come at least that far.
   *
   * @param {string | undefined} token an empty one, none, or one of another life asks for nothing
   * @returns {number | null}
   */
  position(token) {
    const [life, writes] = (token ?? '').split('.')
    return life === this.#life && /^[0-9a-f]+$/.test(writes) ? parseInt(writes, 16) : null
  }
}
