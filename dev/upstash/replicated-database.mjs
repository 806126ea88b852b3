// A database with a replica: what only reads runs there, everything else on the primary. Its position is the
// replication offset of redis-server: all bytes of writes that the primary has sent out, or that the replica has run.

import { setTimeout as wait } from 'node:timers/promises'

import { runsScript } from './scripts.mjs'

const POLL_MS = 5

export class ReplicatedDatabase {
  #replica
  /** How many reads wait at the moment until the replica has caught up. */
  waitingReads = 0

  constructor({ primary, replica }) {
    this.primary = primary
    this.#replica = replica
  }

  /**
   * Runs commands in order.
   *
   * @param {(string | Buffer)[][]} commands
   * @param {object} how
   * @param {boolean} how.reads whether all of them only read
   * @param {number | null} how.after what only reads sees a state not older than this position
   * @param {() => boolean} how.gone whether nobody waits for the answer any more
   * @returns {Promise<{ outcomes: { reply: unknown, innerCalls: number }[], position: number }>} `position` is one that
   *   the answering store had reached before it read, or one not before its writes
   */
  async run(commands, { reads, after, gone }) {
    const run = (store) => commands.map((command) => store.run(command))
    // One turn, one connection: the position is asked for right before the reads or right after the writes.
    // Scripts are known to the primary only; redis-server does not replicate them.
    if (!reads || commands.some(runsScript)) {
      const answers = await Promise.all([...run(this.primary), this.primary.position()])
      return { outcomes: answers.slice(0, -1), position: answers.at(-1) }
    }
    if (after !== null) await this.#reached(after, gone)
    const [position, ...outcomes] = await Promise.all([
      this.#replica.position(),
      ...run(this.#replica),
    ])
    return { outcomes, position }
  }

  /** Runs commands as one transaction, on the primary whatever they are. */
  async transaction(commands) {
    const [outcome, position] = await Promise.all([
      this.primary.transaction(commands),
      this.primary.position(),
    ])
    return { ...outcome, position }
  }

  /** How far the primary has come. */
  position() {
    return this.primary.position()
  }

  close() {
    this.primary.close()
    this.#replica.close()
  }

  // For as long as it takes, as the service does: the deadline is the client's.
  async #reached(position, gone) {
    const behind = async () => (await this.#replica.position()) < position
    if (!(await behind())) return
    this.waitingReads += 1
    try {
      do {
        if (gone()) throw new Error('the client went away while its read waited for the replica')
        await wait(POLL_MS, undefined, { ref: false })
      } while (await behind())
    } finally {
      this.waitingReads -= 1
    }
  }
}
