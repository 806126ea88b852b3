// The options of a call, each checked as it is read. As everywhere in the package, `undefined` is the same as leaving one out.
const { configInvalid, kindOf, optionsInvalid } = require('./errors.cjs')

exports.isPlain = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

exports.Options = class Options {
  #given
  #names
  #whose

  /**
   * @param {unknown} given
   * @param {string[]} names those that there are
   * @param {string} [whose] what follows the name of an option in a message, such as ` of resource lens`
   */
  constructor(given, names, whose = '') {
    if (!exports.isPlain(given)) throw optionsInvalid(kindOf(given))
    this.#given = given
    this.#names = names
    this.#whose = whose
  }

  /** Refuses what is not among the names. */
  known() {
    for (const option of Object.keys(this.#given)) {
      if (!this.#names.includes(option))
        throw this.refusal(option, 'not known', `must be one of ${this.#names.join(', ')}`)
    }
    return this
  }

  get(option) {
    return this.#given[option]
  }

  /** Those of the names that are given. */
  pick(names) {
    const pairs = names.map((name) => [name, this.#given[name]])
    return Object.fromEntries(pairs.filter(([, value]) => value !== undefined))
  }

  /** @param {'string' | 'boolean' | 'number' | 'function'} type */
  typed(option, type) {
    const value = this.#given[option]
    if (value === undefined || typeof value === type) return value
    throw this.refusal(option, kindOf(value), `must be a ${type}; leave it out for the default`)
  }

  /** An error that is to be thrown. */
  refusal(option, found, rule) {
    return configInvalid(`${option}${this.#whose}`, found, rule)
  }
}
