// What the environment says, by the rules that a cache reads it with.

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'

import { checkedOptions, environment, settingsOf } from '../../lib/settings.cjs'

const USUAL_FILE = '.env.local'

/** Where the value of a variable is to be had. */
const MENDED_BY = {
  UPSTASH_REDIS_REST_URL: 'copy the REST URL of the database from the Upstash console',
  UPSTASH_REDIS_REST_TOKEN: 'copy the REST token of the same database from the Upstash console',
  SUPABASE_URL: "copy the project's URL from the Supabase dashboard",
  SUPABASE_SERVICE_ROLE_KEY: "copy the project's service_role (secret) key from the dashboard",
  SYSTEM_PROMPT_SIGNING_KEY:
    'without it nothing is shared; give all instances the same, or remove the variable',
  SYSTEM_PROMPT_SECOND_SIGNING_KEY: 'without it nothing is shared; mend it, or remove the variable',
}

const isSet = (name) => Boolean(process.env[name]?.trim())

/**
 * What is configured, and what is not.
 *
 * @param {import('./findings.mjs').Findings} findings
 * @param {string} keyPrefix
 * @returns {{ store?: { url: string, token: string }, supabase?: { url: string, token: string }, promptFile?: string, signed:
 *   boolean }} `promptFile` only where it is what servers read
 * @throws {CacheError} `CONFIG_INVALID`
 */
export function configuration(findings, keyPrefix) {
  const given = settings({ keyPrefix })
  // Keys of this question alone: the first cause may be the signing key, and Redis is looked at all the same.
  const withKeys = settings({ keyPrefix, signingKey: fresh(), secondSigningKey: fresh() })
  const { reason: store } = withKeys.store
  const { reason: supabase } = given.supabase
  const unsigned = given.store.reason !== store
  const promptFile = (supabase && given.promptFile) || undefined

  hint(findings, store)
  if (unsigned) findings.fail('variables', mended(given.store.reason))
  if (store) sayNoStore(findings, store)
  if (supabase) sayNoSupabase(findings, supabase, promptFile)
  if (!unsigned && !store && (!supabase || promptFile)) {
    const set = [...Object.keys(MENDED_BY), 'SYSTEM_PROMPT_FILE'].filter(isSet)
    findings.ok('variables', set.join(', '))
  }
  sayFallback(findings)
  return {
    store: store ? undefined : withKeys.store,
    supabase: supabase ? undefined : given.supabase,
    promptFile,
    signed: given.signingKeys !== null && !unsigned,
  }
}

/** Why there is no shared cache by the environment; null if there is one. @returns {string | null} */
export const whyNotShared = () => settings({}).store.reason ?? null

const settings = (options) => settingsOf(checkedOptions(options), environment())

function sayNoStore(findings, reason) {
  if (reason.startsWith('UPSTASH_REDIS_REST_URL') && reason.endsWith('is empty')) {
    findings.warn('variables', `${reason}: the shared cache is switched off`)
    return
  }
  findings.fail('variables', mended(reason))
}

function sayNoSupabase(findings, reason, promptFile) {
  if (!promptFile) findings.fail('variables', mended(reason))
  else if (isSet('SUPABASE_URL'))
    findings.warn('variables', `${mended(reason)}; until then SYSTEM_PROMPT_FILE is read`)
}

function sayFallback(findings) {
  const text = process.env.FALLBACK_SYSTEM_PROMPT
  if (text === undefined)
    findings.ok('fallback', "FALLBACK_SYSTEM_PROMPT is not set: the package's one line stands in")
  else if (text.trim() === '')
    findings.warn(
      'fallback',
      'FALLBACK_SYSTEM_PROMPT is blank, which counts as not set: give it a text',
    )
  else findings.ok('fallback', `FALLBACK_SYSTEM_PROMPT has ${text.length} characters`)
}

/** What somebody may have overlooked. */
function hint(findings, store) {
  if (store?.includes('not set') && existsSync(USUAL_FILE))
    findings.warn('variables', `there is a ${USUAL_FILE}: --env-file ${USUAL_FILE} reads it`)
  if (isSet('CACHE_KEY_PREFIX'))
    findings.warn(
      'variables',
      'CACHE_KEY_PREFIX is read by the example alone: give --key-prefix if your servers have a keyPrefix',
    )
}

function mended(reason) {
  // The variable that is missing comes last in "A is set, but B is not".
  const names = Object.keys(MENDED_BY).filter((name) => reason.includes(`${name} (`))
  const missing = names.find((name) => new RegExp(`but ${name} `).test(reason)) ?? names[0]
  return missing ? `${reason}: ${MENDED_BY[missing]}` : reason
}

const fresh = () => randomBytes(32).toString('hex')
