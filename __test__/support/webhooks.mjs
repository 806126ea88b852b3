// Webhooks as a sender makes them, and a handler that keeps what it was asked for.
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import webhook from '../../lib/webhook.cjs'
import { snippetsOf } from '../../dev/snippets.mjs'

/** Nothing that is said may hold this. */
export const SECRET = 'canary-of-the-webhook-secret-0123456789'
export const RESOURCES = [
  { name: 'rag', tables: { documents: (row) => row.hub_id } },
  { name: 'lens', tables: { 'public.lenses': (row) => row.id, 'private.lenses': true } },
  { name: 'flag' },
]

/** The body of a webhook, as pg_net sends it. */
export const bodyOf = (change) =>
  JSON.stringify({
    type: 'UPDATE',
    table: 'documents',
    schema: 'public',
    record: { id: 1, hub_id: 'new' },
    old_record: { id: 1, hub_id: 'old' },
    ...change,
  })

export const BEARER = { authorization: `Bearer ${SECRET}` }

/** The headers of a signed webhook. @param {string} body */
export function signed(body, { secret = SECRET, id = 'msg_1', at = Date.now() / 1000 } = {}) {
  const timestamp = String(Math.floor(at))
  const signature = createHmac('sha256', secret)
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  }
}

/**
 * A handler whose invalidations go nowhere.
 *
 * @param {import('ava').ExecutionContext} t told if a reply or a warning holds the secret
 * @param {object} [parts] in place of the usual ones
 */
export function handlerFor(t, parts = {}) {
  const [calls, warnings] = [[], []]
  const handler = webhook.webhookHandler({
    secret: () => SECRET,
    resources: () => RESOURCES,
    invalidate: async (targets) => {
      calls.push(targets)
    },
    warn: (message) => warnings.push(message),
    ...parts,
  })
  const handle = async (request) => {
    const reply = await handler(request)
    t.false(JSON.stringify([reply, warnings]).includes('canary'), 'the secret is in no reply')
    return reply
  }
  return { handle, calls, warnings }
}

/** What docs/WEBHOOKS.md prints in a language below a heading. @returns {string[]} */
export const guide = (language, heading) =>
  snippetsOf(readFileSync(new URL('../../docs/WEBHOOKS.md', import.meta.url), 'utf8'))
    .filter((snippet) => snippet.language === language && snippet.heading === heading)
    .map(({ text }) => text)

/** Runs a snippet with these in place of what it imports or does not define. @returns {unknown} what `gives` names in it */
export function runSnippet(text, names, gives) {
  const code = text.replaceAll(/^import .*$/gm, '').replaceAll(/^export /gm, '')
  const run = new Function(...Object.keys(names), `${code}\nreturn ${gives}`)
  return run(...Object.values(names))
}
