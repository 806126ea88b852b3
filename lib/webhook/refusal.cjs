// Why a webhook is refused, in words that hold nothing of the request and nothing secret.

exports.Refusal = class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} words
   * @param {object} [more] further members of the reply
   */
  constructor(status, words, more) {
    super(words)
    this.status = status
    this.body = { error: words, ...more }
  }
}
