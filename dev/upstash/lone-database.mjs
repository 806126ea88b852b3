// A database without replicas: everything runs on its one store. Its position is a count of writes.

export class LoneDatabase {
  #writes = 0
  /** No read ever waits. */
  waitingReads = 0

  constructor({ primary }) {
    this.primary = primary
  }

  /** Runs commands in order. See `ReplicatedDatabase`. */
  async run(commands, { reads }) {
    const outcomes = await Promise.all(commands.map((command) => this.primary.run(command)))
    if (!reads) this.#writes += 1
    return { outcomes, position: this.#writes }
  }

  /** Runs commands as one transaction. See `ReplicatedDatabase`. */
  async transaction(commands, { reads }) {
    const outcome = await this.primary.transaction(commands)
    const discarded = outcome.replies instanceof Error
    if (!reads && !discarded) this.#writes += 1
    return { ...outcome, position: this.#writes }
  }

  position() {
    return this.#writes
  }

  close() {
    this.primary.close()
  }
}
