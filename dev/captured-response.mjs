// A response that is kept instead of sent, so that the fault layer can send it distorted.

import { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'

export class CapturedResponse extends Writable {
  #chunks = []
  #headers = {}
  statusCode = 200

  /**
   * What a server answers.
   *
   * @param {(response: CapturedResponse) => void} answer
   * @returns {Promise<{ status: number, headers: Record<string, string>, body: Buffer }>} without the headers that
   *   describe the transfer; the sender sets its own
   */
  static async of(answer) {
    const response = new CapturedResponse()
    answer(response)
    await finished(response)
    const {
      'content-length': _length,
      'transfer-encoding': _encoding,
      connection: _,
      ...headers
    } = response.#headers
    return { status: response.statusCode, headers, body: Buffer.concat(response.#chunks) }
  }

  setHeader(name, value) {
    this.#headers[name.toLowerCase()] = value
    return this
  }

  writeHead(status, headers = {}) {
    this.statusCode = status
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value)
    return this
  }

  _write(chunk, _encoding, done) {
    this.#chunks.push(chunk)
    done()
  }
}
