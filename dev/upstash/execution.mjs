// Runs commands for the bridge: refuses what this caller cannot run, tells the database what only reads, counts what
// is billed.

import { nameOf, refusalOf } from './commands.mjs'
import { Refusal } from './errors.mjs'
import { Scripts } from './scripts.mjs'

/**
 * @typedef {object} Caller
 * @property {boolean} readOnly what the request's token says
 * @property {number | null} position what its sync token says
 * @property {() => boolean} gone whether the client has gone away
 */

export class Execution {
  #database
  #table
  #scripts = new Scripts()

  /** Commands billed so far: every command that reached the store, and those that scripts ran. */
  billed = 0

  constructor({ database, table }) {
    this.#database = database
    this.#table = table
  }

  /**
   * Runs one command.
   *
   * @returns {Promise<{ reply: unknown, position?: number }>} errors of Redis are replies, too; `position` is that of the
   *   state behind the reply, if the command ran
   */
  async one(command, caller) {
    const { replies, position } = await this.many([command], caller)
    return { reply: replies[0], position }
  }

  /** Runs commands in order, each whatever became of the others. */
  async many(commands, caller) {
    const replies = commands.map((command) => {
      const refusal = this.#refusal(command, caller)
      return refusal === null ? null : new Error(refusal)
    })
    const places = [...replies.keys()].filter((place) => replies[place] === null)
    if (places.length === 0) return { replies }
    const run = places.map((place) => commands[place])
    const { outcomes, position } = await this.#database.run(...this.#task(run, caller))
    outcomes.forEach(({ reply, innerCalls }, index) => {
      this.billed += 1 + innerCalls
      replies[places[index]] = this.#scripts.translateReply(run[index], reply)
    })
    return { replies, position }
  }

  /** Runs commands as one transaction. @throws {Refusal} when it is discarded as a whole */
  async atomically(commands, caller) {
    for (const command of commands) {
      const refusal = this.#refusal(command, caller)
      if (refusal) throw new Refusal(400, refusal)
    }
    const { replies, innerCalls, position } = await this.#database.transaction(
      ...this.#task(commands, caller),
    )
    if (replies instanceof Error) throw new Refusal(400, replies.message)
    this.billed += commands.length + innerCalls
    return {
      replies: replies.map((reply, index) => this.#scripts.translateReply(commands[index], reply)),
      position,
    }
  }

  #refusal(command, { readOnly }) {
    return refusalOf(command, { readOnly, table: this.#table })
  }

  #task(commands, { position, gone }) {
    const reads = commands.every((command) => this.#table.reads(nameOf(command)))
    const translated = commands.map((command) => this.#scripts.translate(command))
    return [translated, { reads, after: position, gone }]
  }
}
