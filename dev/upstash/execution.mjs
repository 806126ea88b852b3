// Runs commands for the bridge: refuses what this caller cannot run, picks the store, counts what is billed, moves
// the sync token.

import { nameOf, refusalOf } from './commands.mjs'
import { Refusal } from './errors.mjs'
import { Scripts } from './scripts.mjs'

/** @typedef {{ readOnly: boolean, position: number | null }} Caller what the request's token and sync token say */

export class Execution {
  #primary
  #table
  #clock
  #scripts = new Scripts()

  /** Commands billed so far: every command that reached the store, and those that scripts ran. */
  billed = 0

  constructor({ store, table, clock }) {
    this.#primary = store
    this.#table = table
    this.#clock = clock
  }

  /** Runs one command. @returns {Promise<unknown>} the reply; errors of Redis are replies, too */
  async one(command, caller) {
    const refusal = this.#refusal(command, caller)
    if (refusal) return new Error(refusal)
    const { reply, innerCalls } = await this.#storeFor(command, caller).run(
      this.#scripts.translate(command),
    )
    this.#account([command], innerCalls)
    return this.#scripts.translateReply(command, reply)
  }

  /** Runs commands in order, each whatever became of the others. */
  many(commands, caller) {
    return Promise.all(commands.map((command) => this.one(command, caller)))
  }

  /** Runs commands as one transaction. @throws {Refusal} when it is discarded as a whole */
  async atomically(commands, caller) {
    for (const command of commands) {
      const refusal = this.#refusal(command, caller)
      if (refusal) throw new Refusal(400, refusal)
    }
    const translated = commands.map((command) => this.#scripts.translate(command))
    const { replies, innerCalls } = await this.#primary.transaction(translated)
    if (replies instanceof Error) throw new Refusal(400, replies.message)
    this.#account(commands, innerCalls)
    return replies.map((reply, index) => this.#scripts.translateReply(commands[index], reply))
  }

  #refusal(command, { readOnly }) {
    return refusalOf(command, { readOnly, table: this.#table })
  }

  // The place for replicas: a command that only reads may go to any replica that has come as far as
  // `caller.position`; without a position, to any at all. There is one store today.
  #storeFor(_command, _caller) {
    return this.#primary
  }

  #account(commands, innerCalls) {
    this.billed += commands.length + innerCalls
    if (commands.some((command) => !this.#table.reads(nameOf(command)))) this.#clock.advance()
  }
}
