// A double of pg_net, Postgres' extension that posts webhooks: PGlite cannot load it. The SQL puts requests into its queue, the part
// here is its worker: it takes them off the queue once they are committed, and really sends them.

import { readFile } from 'node:fs/promises'

const SCHEMA = new URL('pg-net.sql', import.meta.url)
const CHANNEL = 'net_wake'
/** As many are sent side by side. */
const BATCH = 200

/**
 * Installs it. What is still to be sent when it is stopped is not.
 *
 * @param {{ session: import('./shared-session.mjs').SharedSession }} postgres
 * @returns {Promise<{ answered: number, idle(): Promise<void>, stop(): Promise<void> }>} `answered` counts the requests that came to an
 *   end; `idle` resolves when all that was committed before the call has
 */
export async function startPgNet({ session }) {
  const schema = await readFile(SCHEMA, 'utf8')
  const stopping = new AbortController()
  let answered = 0
  let last = Promise.resolve()
  // One batch after the other, as the worker does.
  const wake = () => {
    last = last.then(work)
    return last
  }

  async function work() {
    while (!stopping.signal.aborted) {
      const requests = await take()
      if (requests.length === 0) return
      const responses = await Promise.all(requests.map((request) => send(request, stopping.signal)))
      answered += responses.length
      await Promise.all(responses.map(keep))
    }
  }

  const take = () =>
    session.alone(async (database) => {
      // Its id first, as rows come back in no order.
      const { rows } = await database.query(
        `delete from net.http_request_queue where id in
           (select id from net.http_request_queue order by id limit ${BATCH}) returning *`,
      )
      return rows.toSorted((one, other) => one.id - other.id)
    })

  const keep = ({ id, status, text, timedOut, error }) =>
    session.alone((database) =>
      database.query(
        `insert into net._http_response (id, status_code, content, timed_out, error_msg)
         values ($1, $2, $3, $4, $5)`,
        [id, status, text, timedOut, error],
      ),
    )

  const unlisten = await session.alone(async (database) => {
    await database.exec(schema)
    return database.listen(CHANNEL, wake)
  })
  session.onClientTurn = wake

  return {
    get answered() {
      return answered
    },
    idle: wake,
    async stop() {
      stopping.abort()
      session.onClientTurn = () => {}
      await session.alone(() => unlisten())
      await last
    },
  }
}

/** Sends one as libcurl would. @returns {Promise<{ id: bigint, status?: number, text?: string, timedOut: boolean, error?: string }>} */
async function send({ id, method, url, headers, body, timeout_milliseconds: timeoutMs }, stopping) {
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([timeout, stopping])
  try {
    const answer = await fetch(url, {
      method,
      headers: { ...headers, 'user-agent': 'pg_net/0.20.0' },
      body,
      signal,
    })
    return { id, status: answer.status, text: await answer.text(), timedOut: false }
  } catch (error) {
    return { id, timedOut: timeout.aborted, error: error.cause?.message ?? error.message }
  }
}
