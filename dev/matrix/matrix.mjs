// The fault matrix: each fault at the store, at the source and at both, met by every call of a cache that lives through all
// of them, and of fresh ones.

import { randomUUID } from 'node:crypto'

import { startProcess } from '../process.mjs'
import { activatePrompt, editActivePrompt } from '../prompt-edits.mjs'
import { startStack } from '../stack.mjs'
import { FAULTS, REMOTE_CANARY, TARGETS } from './faults.mjs'
import { lateCalls, problemsOf, tiersOf } from './judge.mjs'
import { AUTHORITY, openPlaces } from './places.mjs'

const INSTANCE = new URL('instance.mjs', import.meta.url)
const PROMPT_CANARY = 'canary-of-the-prompt'
const FALLBACK_CANARY = 'canary-of-the-fallback'
/** How soon everything must be right again. */
const WELL_WITHIN_MS = 2000

/**
 * @param {object} options
 * @param {Record<string, { redisTimeoutMs: number, sourceTimeoutMs: number }>} options.limits for each target; where they are the
 *   same object, the same caches meet the faults
 * @param {number} [options.maxStalenessMs] the lease of the cache that has one
 */
export async function startMatrix({ limits, maxStalenessMs }) {
  const stack = await startStack()
  const places = await openPlaces(stack)
  const instances = new Map()
  /** Every prompt that the admin wrote. */
  const truths = []
  await activatePrompt(stack.sql, { title: 'Matrix', payload: { identity: 'the first' } })

  /** The process that reaches the places as this cell needs it. */
  async function instanceOf(cell) {
    const { breakage, target } = cell
    // Few faults are met over another way, and none twice.
    const way = breakage.over ? cell : limits[target]
    if (instances.has(way)) return instances.get(way)
    const prefix = `matrix:${randomUUID()}`
    const printed = []
    const process = startProcess(INSTANCE, {
      name: `the instance for ${cell.fault} of ${target}`,
      onPrinted: (text) => printed.push(text),
      runner: (breakage.over === 'name' && places.runner) || [],
    })
    const urlOf = (place) => places.urlOf(place, breakage, TARGETS[target].includes(place))
    const options = {
      upstashUrl: urlOf('store'),
      upstashToken: stack.upstash.token,
      supabaseUrl: urlOf('source'),
      supabaseKey: stack.supabase.serviceKey,
      keyPrefix: prefix,
      fallbackPrompt: FALLBACK_CANARY,
    }
    const valueKey = `${prefix}:value`
    await process.ask('open', {
      options: { ...options, ...limits[target] },
      maxStalenessMs,
      authority: AUTHORITY,
      valueKey,
    })
    const secrets = [options.upstashToken, options.supabaseKey, options.upstashUrl]
    secrets.push(options.supabaseUrl, PROMPT_CANARY, FALLBACK_CANARY, REMOTE_CANARY)
    const instance = { process, prefix, valueKey, secrets, printed }
    instances.set(way, instance)
    return instance
  }

  async function edit() {
    const identity = `${PROMPT_CANARY} ${truths.length}`
    await editActivePrompt(stack.sql, { identity })
    truths.push(`## Identity\n${identity}`)
    return truths.at(-1)
  }

  /** Everything that is stored, where the instances store, and is not what it should be. */
  async function wronglyStored({ valueKey }) {
    const wrong = []
    for (const key of await stack.redis.keys('matrix:*:active')) {
      // Null where it was dropped meanwhile.
      const prompt = await stack.redis.get(key)
      if (prompt !== null && !truths.includes(prompt)) wrong.push(key)
    }
    const value = await stack.redis.get(valueKey)
    if (value !== null && value !== '{"kept":true}') wrong.push(valueKey)
    return wrong.map((key) => `stored under ${key.replace(/[\da-f-]{36}/, '…')}: something else`)
  }

  /** @returns {Promise<CellReport>} */
  async function run({ fault, target }) {
    const breakage = FAULTS[fault]
    // No host name could be made to be known first.
    const cured = breakage.over !== 'name' || places.runner !== null
    const cell = { fault, target, breakage, cured }
    const broken = TARGETS[target]
    const instance = await instanceOf(cell)
    const { process, prefix } = instance
    const records = []
    const problems = []
    const said = []
    const ask = async (method, options) => {
      const { records: made, said: texts, ...rest } = await process.ask(method, options)
      records.push(...made)
      said.push(...texts)
      return rest
    }

    const truth = await edit()
    if (cured) await ask('well', { truth })
    for (const place of broken) await places.break(place, breakage)
    await ask('strike', { truth })
    // What the store confirms is not looked for.
    if (cured && broken.includes('source') && !(broken.includes('store') && breakage.confirms)) {
      if (!broken.includes('store'))
        await stack.redis.del(...(await stack.redis.keys(`${prefix}:*`)))
      const [tier] = tiersOf('drained', 'asking', cell)
      await ask('drained', { tier })
    }
    await ask('invalidate')
    problems.push(...(await wronglyStored(instance)))
    for (const place of broken) await places.mend(place, breakage)
    const { recovered } = cured ? await ask('recover') : { recovered: {} }
    if (cured) {
      problems.push(...(await wronglyStored(instance)))
      const { edited } = await ask('edited', { truth: await edit() })
      problems.push(...tooLong('had the edit', edited))
    }
    problems.push(...tooLong('was right', recovered))
    if (places.trapped > 0) problems.push('a redirect was followed')
    problems.push(...problemsOf(records, cell), ...leaks([...said, ...instance.printed], instance))
    instance.printed.length = 0
    if (breakage.over) {
      instances.delete(cell)
      await process.stop()
    }
    return {
      fault,
      target,
      cured,
      ...summary(records, recovered),
      late: lateCalls(records),
      problems: [...new Set(problems)],
    }
  }

  return {
    run,
    store: stack.store.kind,
    async stop() {
      for (const { process } of instances.values()) await process.stop()
      await places.stop()
      await stack.stop()
    },
  }
}

const tooLong = (what, times) =>
  Object.entries(times).flatMap(([name, ms]) =>
    ms > WELL_WITHIN_MS ? [`the ${name} cache ${what} after ${ms} ms`] : [],
  )

function leaks(texts, { secrets }) {
  return texts.flatMap((text) => {
    const leaked = secrets.find((secret) => text.includes(secret))
    return leaked ? [`a secret or a remote text was said: ${text.slice(0, 300)}`] : []
  })
}

/**
 * @typedef {object} CellReport
 * @property {number} longestReadMs while it was broken and until it was well again; so are the others
 * @property {number} longestInvalidationMs
 * @property {number} longestValueMs of `cache.get`, `set` and `del`
 * @property {string[]} hot what the caches that lived before were answered by
 * @property {string[]} cold what the fresh ones were answered by
 * @property {number | null} recoveredMs of the slowest cache
 * @property {boolean} cured false where the fault could not be undone
 * @property {string[]} late calls that ended too late
 * @property {string[]} problems everything else that was wrong
 */
function summary(records, recovered) {
  const hurt = records.filter(({ phase }) => phase !== 'well' && phase !== 'edited')
  const longest = (isOne) => Math.max(...hurt.filter(isOne).map(({ ms }) => ms))
  const tiers = (isOne) => {
    const broken = hurt.filter((each) => each.phase !== 'recovering' && isOne(each))
    return [...new Set(broken.map(({ tier }) => tier).filter(Boolean))].toSorted()
  }
  const isCold = ({ cache }) => cache.startsWith('cold')
  const times = Object.values(recovered)
  return {
    longestReadMs: longest(({ call }) => call.startsWith('fetch') || call.startsWith('debug')),
    longestInvalidationMs: longest(({ call }) => call.startsWith('invalidate')),
    longestValueMs: longest(({ call }) => ['get', 'set', 'del'].includes(call)),
    hot: tiers((each) => !isCold(each)),
    cold: tiers(isCold),
    recoveredMs: times.length === 0 ? null : Math.max(...times),
  }
}
