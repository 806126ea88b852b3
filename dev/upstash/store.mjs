// The one interface the bridge has to a store, over redis-server and over the embedded one.
//
// Every command goes through ioredis' Buffer API, so bytes stay bytes. All commands of a pipeline are handed to the
// connection in one turn and answered in order.

import { runsScript } from './scripts.mjs'

// A replica tells both, its own first.
const OFFSET = /^(?:slave|master)_repl_offset:(?<offset>\d+)/m

/** @param {Awaited<ReturnType<import('../redis.mjs').startRedis>>} redis */
export function openStore(redis) {
  return redis.kind === 'embedded' ? new EmbeddedStore(redis) : new ServerStore(redis)
}

class Store {
  constructor(redis) {
    this.redis = redis
    this.client = redis.connect({ stringNumbers: true })
  }

  /** The server's commands with their flags. @returns {Promise<[string, string[]][]>} */
  async commands() {
    const entries = await this.redis.connect().command()
    return entries.map(([name, , flags]) => [name.toLowerCase(), flags])
  }

  /** A connection that only listens. `onMessage(pattern | null, channel, payload)` gets bytes. */
  async subscribe({ channels, pattern, onMessage }) {
    const listener = this.redis.connect()
    this.listen(listener, onMessage)
    if (pattern) await listener.psubscribe(...channels)
    else await listener.subscribe(...channels)
    return () => this.unlisten(listener)
  }

  close() {
    this.client.disconnect()
  }
}

class ServerStore extends Store {
  /** How far its data has come, in bytes of the primary's writes; a replica's own count is of those it has run. */
  async position() {
    const { groups } = OFFSET.exec(await this.client.info('replication'))
    return Number(groups.offset)
  }

  /** Runs one command. @returns {Promise<{ reply: unknown, innerCalls: number }>} errors are replies, too */
  async run(command) {
    if (!runsScript(command)) return { reply: await this.#reply(command), innerCalls: 0 }
    const { replies, innerCalls } = await this.transaction([command])
    // A full Redis queues nothing for a transaction, but runs scripts. Others' commands may be counted with it then.
    if (replies instanceof Error && replies.message.startsWith('OOM'))
      return this.#runAlone(command)
    return { reply: replies instanceof Error ? replies : replies[0], innerCalls }
  }

  async #runAlone(command) {
    const asked = [['INFO', 'commandstats'], command, ['INFO', 'commandstats']]
    const [before, reply, after] = await Promise.all(asked.map((words) => this.#reply(words)))
    return { reply, innerCalls: callsOf(after) - callsOf(before) - 2 }
  }

  /**
   * Runs commands atomically. Between MULTI and EXEC nobody else's commands run, so the server's own call counts
   * before and after say exactly how many commands the scripts ran.
   *
   * @returns {Promise<{ replies: unknown[] | Error, innerCalls: number }>}
   */
  async transaction(commands) {
    const counted = commands.some(runsScript)
    const body = counted
      ? [['INFO', 'commandstats'], ...commands, ['INFO', 'commandstats']]
      : commands
    const queued = [['MULTI'], ...body, ['EXEC']].map((command) => this.#reply(command))
    const answers = await Promise.all(queued)
    const replies = answers.at(-1)
    // A script the server refuses to queue answers for itself; the rest of the transaction is discarded.
    if (replies instanceof Error)
      return { replies: this.#whyDiscarded(commands, answers) ?? replies, innerCalls: 0 }
    if (!counted) return { replies, innerCalls: 0 }
    const calls = callsOf(replies.at(-1)) - callsOf(replies[0])
    return { replies: replies.slice(1, -1), innerCalls: calls - 1 - commands.length }
  }

  // For a lone script, its own error is what the client gets without a transaction.
  #whyDiscarded(commands, answers) {
    return commands.length === 1
      ? answers.slice(1, -1).find((answer) => answer instanceof Error)
      : undefined
  }

  #reply([name, ...words]) {
    return this.client.callBuffer(String(name), ...words).catch((error) => error)
  }

  unlisten(listener) {
    listener.disconnect()
  }

  listen(listener, onMessage) {
    listener.on('messageBuffer', (channel, payload) => onMessage(null, channel, payload))
    listener.on('pmessageBuffer', (pattern, channel, payload) =>
      onMessage(pattern, channel, payload),
    )
  }
}

class EmbeddedStore extends Store {
  #turn = Promise.resolve()

  run(command) {
    return this.#inTurn(() => this.#run(command))
  }

  transaction(commands) {
    return this.#inTurn(async () => {
      const replies = []
      let innerCalls = 0
      for (const command of commands) {
        const outcome = await this.#run(command)
        // What redis-server refuses to queue discards the whole; the embedded store only notices when it runs.
        if (isQueueingError(outcome.reply)) {
          const discarded = 'EXECABORT Transaction discarded because of previous errors.'
          return { replies: new Error(discarded), innerCalls }
        }
        replies.push(outcome.reply)
        innerCalls += outcome.innerCalls
      }
      return { replies, innerCalls }
    })
  }

  async #run([name, ...words]) {
    return this.client
      .callCounted(String(name), ...words)
      .catch((reply) => ({ reply, innerCalls: 0 }))
  }

  // One command after another, as in Redis.
  #inTurn(work) {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }

  // ioredis-mock goes on counting a disconnected subscriber until it unsubscribes.
  async unlisten(listener) {
    await listener.unsubscribe()
    await listener.punsubscribe()
    listener.disconnect()
  }

  // ioredis-mock gives text events to text published and Buffer events to Buffers.
  listen(listener, onMessage) {
    for (const event of ['message', 'messageBuffer']) {
      listener.on(event, (channel, payload) =>
        onMessage(null, Buffer.from(channel), Buffer.from(payload)),
      )
    }
    for (const event of ['pmessage', 'pmessageBuffer']) {
      listener.on(event, (pattern, channel, payload) =>
        onMessage(Buffer.from(pattern), Buffer.from(channel), Buffer.from(payload)),
      )
    }
  }
}

function isQueueingError(reply) {
  return (
    reply instanceof Error && /^ERR (unknown command|wrong number of arguments)/.test(reply.message)
  )
}

function callsOf(commandstats) {
  let calls = 0
  for (const [, count] of commandstats.toString('latin1').matchAll(/:calls=(\d+)/g))
    calls += Number(count)
  return calls
}
