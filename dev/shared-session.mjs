// PGlite is one session for everybody, and pglite-socket hands it single protocol messages: a query of ours could run
// between PostgREST's BEGIN and COMMIT, with its role and its read-only mode. Here the session is lent out by whole
// turns: one of our queries, or all messages of a client up to the end of its transaction.

// Parse, Bind, Describe, Execute, Close, Flush: the client's Sync is still to come.
const INSIDE_A_TURN = new Set(Buffer.from('PBDECH'))

export class SharedSession {
  #database
  #last = Promise.resolve()
  // Ends the turn that the socket's client has now; null while it has none.
  #endTurn = null
  #lastMessage = 0

  /** Called after each turn of the socket's client. PGlite hands its notifications to that client alone. */
  onClientTurn = () => {}

  /** @param {import('@electric-sql/pglite').PGlite} database */
  constructor(database) {
    this.#database = database
    this.waitReady = database.waitReady
  }

  /**
   * Runs work that has the session to itself.
   *
   * @template T
   * @param {(database: import('@electric-sql/pglite').PGlite) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async alone(work) {
    const end = await this.#turn()
    try {
      return await work(this.#database)
    } finally {
      end()
    }
  }

  // The rest is what pglite-socket asks of a database.

  isInTransaction() {
    return this.#database.isInTransaction()
  }

  async runExclusive(work) {
    this.#endTurn ??= await this.#turn()
    try {
      return await this.#database.runExclusive(work)
    } finally {
      if (!INSIDE_A_TURN.has(this.#lastMessage)) this.#endTurnUnlessInTransaction()
    }
  }

  execProtocolRawStream(message, options) {
    this.#lastMessage = message[0]
    return this.#database.execProtocolRawStream(message, options)
  }

  /** Used by pglite-socket to roll back for a client that went away. */
  async exec(text) {
    const result = await this.#database.exec(text)
    this.#endTurnUnlessInTransaction()
    return result
  }

  #endTurnUnlessInTransaction() {
    if (this.#database.isInTransaction()) return
    if (!this.#endTurn) return
    this.#endTurn()
    this.#endTurn = null
    this.onClientTurn()
  }

  async #turn() {
    const before = this.#last
    let end
    this.#last = new Promise((resolve) => {
      end = resolve
    })
    await before
    return end
  }
}
