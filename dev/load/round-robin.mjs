// A reverse proxy that hands requests to the instances in turn and notes what came back: the load balancer of the test,
// and its witness. It notes when a request began before it passes it on, so a read that it calls late was late.

import { Agent, request as httpRequest } from 'node:http'

import { readBody, serve } from '../loopback.mjs'

/**
 * @param {string[]} targets URLs of the instances
 * @returns {Promise<{ url: string, chats: Chat[], stop(): Promise<void> }>} `chats` grows by each answer of the chat route
 *
 * @typedef {{ beganMs: number, sha256: string, tier: string, systemPromptMs: number }} Chat
 */
export async function startRoundRobin(targets) {
  const agent = new Agent({ keepAlive: true })
  const chats = []
  let turn = 0
  const server = await serve(async (request, response) => {
    const beganMs = performance.now()
    const target = targets[turn % targets.length]
    turn += 1
    const { method, headers, url: path } = request
    const upstream = httpRequest(target + path, { method, headers, agent })
    upstream.once('error', () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    })
    upstream.once('response', async (answer) => {
      try {
        const { body } = await readBody(answer)
        response.writeHead(answer.statusCode, answer.headers).end(body)
        if (answer.statusCode === 200) {
          const { sha256, tier, systemPromptMs } = JSON.parse(body)
          chats.push({ beganMs, sha256, tier, systemPromptMs })
        }
      } catch {
        response.destroy()
      }
    })
    request.pipe(upstream)
  })
  const stop = async () => {
    await server.stop()
    agent.destroy()
  }
  return { url: server.url, chats, stop }
}
