// The prompts of a storm: each carries the number of its edit, in the order in which the database took them.

import { assemblePromptContent } from 'grove-shared-cache'

const RULE = 'Answer in two sentences, then offer one place in the material to read on. '
const NUMBER = /^## Identity\nEdit (\d+)\./

/** What stands in where there is no prompt; no edit makes it. */
export const FALLBACK = 'A stand-in for the prompt.'

/** The payload of an edit: about 4 KB. */
export function payloadOf(number) {
  return { identity: `Edit ${number}.`, structureRules: `${number} ${RULE.repeat(50)}${number}` }
}

/** Reads the number back; a prompt that no edit made, or not as a whole, has none. */
export class PromptReader {
  #last = null
  #number = null

  /** @param {string} content @returns {number | null} */
  numberOf(content) {
    // Nearly all reads give what the one before gave.
    if (content === this.#last) return this.#number
    const number = Number(NUMBER.exec(content)?.[1] ?? NaN)
    const whole = content === assemblePromptContent(payloadOf(number))
    this.#last = content
    this.#number = whole ? number : null
    return this.#number
  }
}
