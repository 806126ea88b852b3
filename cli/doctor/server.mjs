// One of the two servers over HTTP, as the addon reaches it: within a deadline, by the proxy of the environment, following
// no redirect.

import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { rootCertificates } from 'node:tls'

import { Trouble } from './trouble.mjs'
import { proxyFor, TunnelAgent } from './tunnel.mjs'

const LARGEST_BYTES = 16 << 20

/**
 * @typedef {object} Names how the server is called in what is said
 * @property {string} who
 * @property {string} variable that has its URL
 * @property {string} console where the right URL is to be had
 */

export class Server {
  #base
  #names
  #agent
  #request
  #timeoutMs

  /** @param {{ url: string, timeoutMs: number, names: Names }} options */
  constructor({ url, timeoutMs, names }) {
    this.#base = new URL(url)
    this.#names = names
    this.#timeoutMs = timeoutMs
    const secure = this.#base.protocol === 'https:'
    const proxy = secure ? proxyFor(this.#base) : null
    const options = { keepAlive: true, ...(secure && { ca: authorities() }) }
    this.#request = secure ? httpsRequest : httpRequest
    if (proxy) this.#agent = new TunnelAgent(proxy, options)
    else this.#agent = secure ? new HttpsAgent(options) : new HttpAgent(options)
  }

  get names() {
    return this.#names
  }

  get timeoutMs() {
    return this.#timeoutMs
  }

  close() {
    this.#agent.destroy()
  }

  /**
   * One request with its whole answer.
   *
   * @param {{ method?: string, path?: string, query?: string, headers?: Record<string, string>, body?: string }} request
   * @returns {Promise<{ status: number, type: string, text: string, ms: number, date: { serverMs: number, localMs: number } |
   *   null }>} `date`: what the server's clock said, and when by this one
   * @throws {Trouble}
   */
  async ask(request) {
    const begun = performance.now()
    const { response, over } = await this.#open(request)
    const chunks = []
    let bytes = 0
    try {
      for await (const chunk of response) {
        bytes += chunk.length
        if (bytes > LARGEST_BYTES) throw this.#protocol(response, 'endless')
        chunks.push(chunk)
      }
    } catch (error) {
      throw error instanceof Trouble ? error : this.#trouble(error, over())
    } finally {
      over.end()
    }
    const ms = performance.now() - begun
    const serverMs = Date.parse(response.headers.date ?? '')
    return {
      status: response.statusCode,
      type: response.headers['content-type'] ?? 'no content-type',
      text: Buffer.concat(chunks).toString(),
      ms,
      date: Number.isNaN(serverMs) ? null : { serverMs, localMs: Date.now() - ms / 2 },
    }
  }

  /**
   * A request whose answer goes on; the deadline is for its head.
   *
   * @returns {Promise<import('node:http').IncomingMessage>}
   * @throws {Trouble}
   */
  async stream(request) {
    const { response, over } = await this.#open(request)
    over.end()
    return response
  }

  #open({ method = 'GET', path = '', query = '', headers = {}, body }) {
    const url = new URL(this.#base)
    url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`
    url.search = query
    return new Promise((resolve, reject) => {
      let [connected, late] = [false, false]
      const request = this.#request(url, {
        method,
        agent: this.#agent,
        headers: { 'accept-encoding': 'identity', ...headers },
      })
      const timer = setTimeout(() => {
        late = true
        request.destroy()
      }, this.#timeoutMs)
      const over = () => ({ connected, late })
      over.end = () => clearTimeout(timer)
      request.on('socket', (socket) => {
        const ready = socket.encrypted ? 'secureConnect' : 'connect'
        if (request.reusedSocket || (!socket.connecting && !socket.encrypted)) connected = true
        else socket.once(ready, () => (connected = true))
      })
      request.on('response', (response) => {
        const { statusCode } = response
        if (statusCode >= 300 && statusCode < 400) {
          over.end()
          response.destroy()
          return reject(this.#redirected(statusCode))
        }
        resolve({ response, over })
      })
      request.on('error', (error) => {
        over.end()
        reject(error instanceof Trouble ? error : this.#trouble(error, over()))
      })
      request.end(body)
    })
  }

  /** An answer that this server would not give. */
  #protocol({ statusCode }, what) {
    return new Trouble('protocol', `${this.#names.who}: status ${statusCode} with ${what} content`)
  }

  #redirected(status) {
    const { variable, console } = this.#names
    return new Trouble(
      'redirect',
      `answers with a redirect (status ${status}), which is not followed: ${variable} is another address; copy it from ${console}`,
    )
  }

  #trouble(error, { connected, late }) {
    const { who, variable, console } = this.#names
    const { hostname } = this.#base
    const code = error.code ?? error.errors?.[0]?.code ?? 'an unknown error'
    if (late && connected)
      return new Trouble(
        'timeout',
        `takes the connection, but does not answer within ${this.#timeoutMs} ms: look at the state of ${who} in ${console}`,
      )
    if (late)
      return new Trouble(
        'timeout',
        `no connection to ${hostname} within ${this.#timeoutMs} ms: check ${variable}, and what is between (firewall, proxy)`,
      )
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      return new Trouble(
        'name',
        `the host ${hostname} is unknown (${code}): correct ${variable}; a database or project that was deleted or paused has none either`,
      )
    if (isOfCertificate(code))
      return new Trouble(
        'certificate',
        `the certificate of ${hostname} is not accepted (${code}): name the authority of your proxy in NODE_EXTRA_CA_CERTS, or correct ${variable}`,
      )
    if (!connected)
      return new Trouble(
        'connection',
        `no connection to ${hostname} (${code}): check ${variable}, and what is between (firewall, proxy)`,
      )
    return new Trouble(
      'broken',
      `the connection to ${hostname} broke off (${code}): try again; if it stays so, look at what is between (proxy)`,
    )
  }
}

function isOfCertificate(code) {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code)
}

// Node reads the variable at its start only; the addon when it is used, by then from an --env-file too.
function authorities() {
  const file = process.env.NODE_EXTRA_CA_CERTS
  try {
    return file ? [...rootCertificates, readFileSync(file, 'utf8')] : undefined
  } catch {
    return undefined
  }
}
