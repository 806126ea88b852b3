// What the environment says, by the addon's own rules: each is asked of it, so that the two cannot differ.

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

import { SharedCache } from '../../index.mjs'

const NO_STORE = /^\[SystemPrompt\] No shared cache: (.+?)\. Each instance/
const NO_SOURCE = /^\[SystemPrompt\] No source: (.+)$/
const OFTEN_MS = 5
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

const given = (name) => process.env[name]?.trim() || undefined

/**
 * What is configured, and what is not.
 *
 * @param {import('./findings.mjs').Findings} findings
 * @param {string} keyPrefix
 * @returns {Promise<{ store?: { url: string, token: string }, supabase?: { url: string, key: string }, promptFile?: string,
 *   signed: boolean }>} `promptFile` only where it is what servers read
 */
export async function configuration(findings, keyPrefix) {
  const common = { keyPrefix, promptFile: '' }
  // Keys of these two questions alone: the first cause may be the signing key, and Redis is looked at all the same.
  const keys = { signingKey: fresh(), secondSigningKey: fresh() }
  const [withEnvironment, store, supabase] = [
    await reasonOf({ ...common, supabaseUrl: '' }, NO_STORE, NO_SOURCE),
    await reasonOf({ ...common, supabaseUrl: '', ...keys }, NO_STORE, NO_SOURCE),
    await reasonOf({ ...common, upstashUrl: '' }, NO_SOURCE, NO_STORE),
  ]
  const unsigned = withEnvironment !== store
  const promptFile = supabase ? given('SYSTEM_PROMPT_FILE') : undefined

  hint(findings, store)
  if (unsigned) findings.fail('variables', mended(withEnvironment))
  if (store) sayNoStore(findings, store)
  if (supabase) sayNoSupabase(findings, supabase, promptFile)
  if (!unsigned && !store && (!supabase || promptFile)) {
    const set = [...Object.keys(MENDED_BY), 'SYSTEM_PROMPT_FILE'].filter(given)
    findings.ok('variables', set.join(', '))
  }
  sayFallback(findings)
  return {
    store: store
      ? undefined
      : { url: given('UPSTASH_REDIS_REST_URL'), token: given('UPSTASH_REDIS_REST_TOKEN') },
    supabase: supabase
      ? undefined
      : { url: given('SUPABASE_URL'), key: given('SUPABASE_SERVICE_ROLE_KEY') },
    promptFile,
    signed: given('SYSTEM_PROMPT_SIGNING_KEY') !== undefined && !unsigned,
  }
}

/**
 * Why there is no shared cache with these options and the environment; undefined if there is one. Connects to nothing.
 *
 * @param {object} options
 * @returns {Promise<string | undefined>}
 */
export function whyNotShared(options) {
  return reasonOf({ ...options, supabaseUrl: '', promptFile: '' }, NO_STORE, NO_SOURCE)
}

/** What the addon says by the line `wanted` when it is made; by the options, it says `other` in any case. */
async function reasonOf(options, wanted, other) {
  const lines = []
  const onLog = ({ message }) => lines.push(message)
  const cache = new SharedCache({ ...options, logLevel: 'warn', onLog })
  // The environment is read at the first use, which this is; it asks nobody.
  cache.stats()
  // All lines arrive together. A timer, as a line to come does not keep the process alive.
  while (!lines.some((line) => other.test(line))) await wait(OFTEN_MS)
  await wait(0)
  await cache.close()
  return lines.map((line) => wanted.exec(line)?.[1]).find(Boolean)
}

function sayNoStore(findings, reason) {
  if (reason.startsWith('UPSTASH_REDIS_REST_URL') && reason.endsWith('is empty')) {
    findings.warn('variables', `${reason}: the shared cache is switched off`)
    return
  }
  findings.fail('variables', mended(reason))
}

function sayNoSupabase(findings, reason, promptFile) {
  const isSet = given('SUPABASE_URL') !== undefined
  if (!promptFile) findings.fail('variables', mended(reason))
  else if (isSet)
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
  if (given('CACHE_KEY_PREFIX'))
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
