// The proxy that the environment names, by the rules of the addon's HTTP client: a tunnel for https, never for loopback.

import { Agent } from 'node:https'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP } from 'node:net'
import { connect } from 'node:tls'

import { Trouble } from './trouble.mjs'

const either = (name) => process.env[name] || process.env[name.toLowerCase()]

/** The proxy for this URL; null if it is asked directly. @param {URL} url @returns {URL | null} */
export function proxyFor({ hostname }) {
  const text = either('HTTPS_PROXY') || either('ALL_PROXY')
  if (!text || exempt(hostname.replace(/^\[|\]$/g, ''), either('NO_PROXY') ?? '')) return null
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  // The addon leaves out what is no proxy by HTTP, too.
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return null
  return new URL(url)
}

function exempt(host, list) {
  const names = list.split(',').map((name) => name.trim().toLowerCase())
  return names.filter(Boolean).some((name) => {
    if (name === '*' || name === host) return true
    if (isIP(host)) return name.includes('/') && within(host, name)
    return host.endsWith(name.startsWith('.') ? name : `.${name}`)
  })
}

function within(host, subnet) {
  const [network, bits] = subnet.split('/')
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
  const block = new BlockList()
  try {
    block.addSubnet(network, Number(bits), family)
  } catch {
    return false
  }
  return block.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')
}

/** Connects by CONNECT, and speaks TLS with the server at the other end. */
export class TunnelAgent extends Agent {
  #proxy

  /** @param {URL} proxy */
  constructor(proxy, options) {
    super(options)
    this.#proxy = proxy
  }

  createConnection(options, connected) {
    const { protocol, hostname, port, username, password } = this.#proxy
    const open = protocol === 'https:' ? httpsRequest : httpRequest
    const target = `${options.host}:${options.port}`
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    const request = open({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port || (protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: target,
      agent: false,
      headers: {
        host: target,
        ...(username && {
          'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}`,
        }),
      },
    })
    const refused = (what) =>
      connected(
        new Trouble('proxy', `the proxy of HTTPS_PROXY ${what}: correct the variable, or NO_PROXY`),
      )
    request.on('connect', ({ statusCode }, socket) => {
      if (statusCode !== 200) {
        socket.destroy()
        return refused(`opens no tunnel (status ${statusCode})`)
      }
      const secure = connect({ ...options, socket, servername: options.servername || undefined })
      connected(null, secure)
    })
    request.on('response', ({ statusCode }) => {
      request.destroy()
      refused(`opens no tunnel (status ${statusCode})`)
    })
    request.on('error', (error) => refused(`is not reached (${error.code})`))
    request.end()
  }
}
