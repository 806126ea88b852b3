// The truth: Supabase, or the file that stands for it.

import { SharedCache, assemblePromptContent } from '../../index.mjs'
import { oneLine, spell } from '../output.mjs'
import { sha256 } from './keys.mjs'
import { Server } from './server.mjs'
import { troubleOf } from './store.mjs'
import { Trouble } from './trouble.mjs'

const NAMES = { who: 'the project', variable: 'SUPABASE_URL', console: 'the Supabase dashboard' }
const TABLE = 'system_prompts'
const TIMES = 3
/** What a read gives the source by default: `sourceTimeoutMs`. */
const GIVEN_MS = 2000
const LARGEST_BYTES = 4 << 20
/** As RFC 3339 has it; versions are compared as times. */
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/
const SERVICE_KEY = "copy the project's service_role (secret) key to SUPABASE_SERVICE_ROLE_KEY"

/**
 * @param {{ findings: import('./findings.mjs').Findings, supabase?: { url: string, token: string }, promptFile?: string, timeoutMs:
 *   number }} parts
 * @returns {Promise<{ row?: { version: string, sha256: string }, date?: object | null }>} the prompt that is active, if it is
 *   one, and what the server's clock said
 */
export async function examineSource({ findings, supabase, promptFile, timeoutMs }) {
  if (promptFile) return examineFile(findings)
  if (!supabase) return {}
  const table = new Table({ ...supabase, timeoutMs })
  try {
    const { rows, ms, date } = await activeRows(table)
    const answer = `answers in ${spell(ms)} (the median of ${TIMES})`
    if (ms > GIVEN_MS)
      findings.warn(
        'supabase',
        `${answer}, and a read gives it ${GIVEN_MS} ms: use a region nearby, or raise sourceTimeoutMs`,
      )
    else findings.ok('supabase', answer)
    const row = rows.length > 0 ? examineRows(findings, rows) : await sayNoRow(findings, table)
    return { row, date }
  } catch (error) {
    findings.fail('supabase', troubleOf(error).message)
    return {}
  } finally {
    table.close()
  }
}

/** Whether servers are given from Redis what is active here. */
export function comparePrompts({ findings, stored, row }) {
  if (stored.version === row.version && stored.sha256 === row.sha256)
    findings.ok('prompt', 'Redis holds the prompt that is active in the source')
  else
    findings.warn(
      'prompt',
      'Redis holds another prompt than the one that is active in the source: it was changed without an invalidation; `grove-shared-cache invalidate` mends it',
    )
}

async function activeRows(table) {
  const times = []
  let last
  for (let time = 0; time < TIMES; time += 1) {
    last = await table.rows(
      'select=id,title,updated_at,payload&status=eq.active&order=updated_at.desc&limit=2',
    )
    times.push(last.ms)
  }
  const [, ms] = times.toSorted((one, other) => one - other)
  return { ...last, ms }
}

function examineRows(findings, rows) {
  const [row] = rows
  const name = `"${oneLine(row.title ?? row.id ?? 'untitled')}"`
  const none = `the active row ${name} is no prompt`
  let content
  try {
    content = assemblePromptContent(row.payload)
  } catch (error) {
    const problem = error.message.replace(/^.*?: /, '')
    findings.fail('row', `${none} (${oneLine(problem)}): correct its payload`)
    return undefined
  }
  if (content === '') {
    findings.fail('row', `${none} (all sections of its payload are empty): write one of them`)
    return undefined
  }
  if (Buffer.byteLength(content) > LARGEST_BYTES) {
    findings.fail('row', `${none} (larger than 4 MiB): shorten it`)
    return undefined
  }
  if (rows.length > 1)
    findings.warn(
      'row',
      `more than one row of ${TABLE} is active, and the newest, ${name}, counts: leave one active`,
    )
  if (typeof row.updated_at !== 'string' || !TIME.test(row.updated_at))
    findings.warn(
      'row',
      `the active row ${name} has no updated_at that is a time, so that Redis sends the whole prompt each time: fill the column`,
    )
  else if (rows.length === 1)
    findings.ok('row', `${name} is active, a prompt of ${content.length} characters`)
  return { version: row.updated_at ?? '', sha256: sha256(content) }
}

/** No row is active, or the key does not see it: the same empty answer. */
async function sayNoRow(findings, table) {
  const role = roleOf(table.key)
  if (role === 'anon' || role === 'authenticated') {
    findings.fail(
      'row',
      `the key sees no active row, because it is the ${role} key, which row-level security hides them from: ${SERVICE_KEY}`,
    )
    return undefined
  }
  const { rows } = await table.rows('select=id&limit=1')
  if (rows.length > 0)
    findings.fail('row', `no row of ${TABLE} is active: set the status of one to "active"`)
  else if (role === 'service_role')
    findings.fail('row', `${TABLE} has no rows: add one with the status "active"`)
  else
    findings.fail(
      'row',
      `the key sees no row of ${TABLE}: either none is active, or row-level security hides them from its role; give the role a policy (docs/SECURITY.md), or ${SERVICE_KEY}`,
    )
  return undefined
}

/** The role in a key, where it has one that can be read. */
function roleOf(key) {
  if (key.startsWith('sb_publishable_')) return 'anon'
  if (key.startsWith('sb_secret_')) return 'service_role'
  try {
    return JSON.parse(Buffer.from(key.split('.')[1] ?? '', 'base64url').toString()).role
  } catch {
    return undefined
  }
}

/** The table, by PostgREST's protocol. */
class Table {
  #server
  key

  constructor({ url, token, timeoutMs }) {
    // With or without the path of the REST API, as the addon takes it.
    const base = new URL(url)
    base.pathname = base.pathname.replace(/\/+$/, '').replace(/\/rest\/v1$/, '')
    this.#server = new Server({ url: base, timeoutMs, names: NAMES })
    this.key = token
  }

  close() {
    this.#server.close()
  }

  /** @throws {Trouble} */
  async rows(query) {
    const { key } = this
    const headers = { apikey: key, authorization: `Bearer ${key}`, accept: 'application/json' }
    const { status, text, ms, date } = await this.#server.ask({
      path: `/rest/v1/${TABLE}`,
      query,
      headers,
    })
    const body = jsonOf(text)
    if (
      status === 200 &&
      Array.isArray(body) &&
      body.every((row) => row && typeof row === 'object')
    )
      return { rows: body, ms, date }
    throw refusal(status, body, roleOf(key))
  }
}

function refusal(status, body, role) {
  // Of what was said only the code counts, Postgres's or PostgREST's.
  const code = /^[A-Z0-9]{5,10}$/.exec(body?.code ?? '')?.[0]
  const trouble = (kind, message) => new Trouble(kind, message, { code })
  if (code === '42501') {
    const whose = role === 'anon' ? 'it is the anon key' : 'permission denied'
    return trouble(
      'permission',
      `the key is accepted, but may not read ${TABLE} (${whose}): ${SERVICE_KEY}, or grant SELECT to its role (docs/SECURITY.md)`,
    )
  }
  if (code === '42P01' || code === 'PGRST205')
    return trouble(
      'rejected',
      `there is no table ${TABLE} in the schema that is exposed: create it, or correct SUPABASE_URL`,
    )
  if (code === '42703' || code === 'PGRST204')
    return trouble(
      'rejected',
      `${TABLE} lacks a column: it needs id, title, status, updated_at and payload`,
    )
  if (code === 'PGRST301' || code === 'PGRST302' || code === 'PGRST303')
    return trouble(
      'unauthorized',
      `the key is not accepted (${code}: it has expired, or is of another project): ${SERVICE_KEY}`,
    )
  if (status === 401 || status === 403)
    return trouble('unauthorized', `the key is not accepted (status ${status}): ${SERVICE_KEY}`)
  if (status === 429)
    return trouble(
      'quota',
      'a limit of the Supabase plan is used up: look at the usage in the dashboard',
    )
  if (status >= 500)
    return trouble(
      'status',
      `answers with status ${status}: look at the state of the project in the Supabase dashboard (it may be paused), and try again`,
    )
  return trouble(
    'protocol',
    `what answers is no Supabase REST API (status ${status}): SUPABASE_URL is another address; copy it from the Supabase dashboard`,
  )
}

function jsonOf(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// The file is read by the addon itself, without Redis: what it says of it is what servers meet.
async function examineFile(findings) {
  const lines = []
  const cache = new SharedCache({
    upstashUrl: '',
    supabaseUrl: '',
    onLog: ({ level, message }) => level === 'warn' && lines.push(message),
  })
  const { source, title, content, version } =
    await cache.systemPrompt.fetchActiveSystemPromptConfig()
  await cache.close()
  if (source === 'file') {
    const name = oneLine(title ?? 'untitled')
    findings.ok(
      'row',
      `"${name}" is the row of SYSTEM_PROMPT_FILE, a prompt of ${content.length} characters`,
    )
    return { row: { version: version ?? '', sha256: sha256(content) } }
  }
  const said = lines.find((line) => !line.includes('No shared cache')) ?? 'it is no prompt'
  const problem = oneLine(said.replace('[SystemPrompt] ', ''))
  findings.fail(
    'row',
    `SYSTEM_PROMPT_FILE gives no prompt: ${problem}; correct the path, or the row in it`,
  )
  return {}
}
