// The stack of a fleet that hears of changes from the database, in a process of its own: PGlite holds its event loop for
// milliseconds, which must not delay a reader. Started by `startProcess`.

import { readFile } from 'node:fs/promises'

import { startPgNet } from '../pg-net.mjs'
import { serveParent } from '../process.mjs'
import { startStack } from '../stack.mjs'
import { nowMs } from '../storm/clock.mjs'

const MIGRATION = new URL('../../sql/supabase-webhooks.sql', import.meta.url)
/** What is read: a document is of one hub. */
const TABLES = `
  create table public.documents (id text primary key, hub_id text not null, body text not null);
  grant select, insert, update, delete on public.documents to service_role;
  select grove_cache.watch('public.documents');`

let stack
let net

serveParent({
  async start() {
    stack = await startStack()
    net = await startPgNet(stack.postgres)
    const migration = await readFile(MIGRATION, 'utf8')
    await stack.postgres.session.alone(async (database) => {
      await database.exec(migration)
      await database.exec(TABLES)
    })
    return { environment: stack.environment }
  },

  /** Where changes are posted to from now on, and what they are signed with. */
  async configure({ url, secret }) {
    await stack.sql('select grove_cache.configure($1, $2)', [url, secret])
  },

  /** Runs statements in one transaction. @returns {Promise<{ fromMs: number, toMs: number }>} before and after its COMMIT */
  async commit(text) {
    return stack.postgres.session.alone(async (database) => {
      await database.exec(`begin; ${text}`)
      const fromMs = nowMs()
      await database.exec('commit')
      return { fromMs, toMs: nowMs() }
    })
  },

  /** Runs statements in a transaction that is rolled back. */
  async rollBack(text) {
    await stack.postgres.session.alone((database) => database.exec(`begin; ${text}; rollback`))
  },

  /** What the webhooks came to, once all that was committed is through. @returns {Promise<Record<string, number>>} by status */
  async answers() {
    await net.idle()
    const rows = await stack.sql(
      `select coalesce(status_code::text, error_msg) as status, count(*)::int as count
       from net._http_response group by 1`,
    )
    return Object.fromEntries(rows.map(({ status, count }) => [status, count]))
  },
})
