// The resources of a storm, as a server uses them: those with a loader in JavaScript, and those that the package reads by itself.

import { supabaseResource } from 'grove-shared-cache'

import { ENTRIES, RESOURCES, numberOf } from './entries.mjs'
import { TABLE } from './truth.mjs'

/**
 * @param {import('grove-shared-cache').SharedCache} cache
 * @param {object} options
 * @param {number} options.resources how many, the first of all
 * @param {Record<string, string>} options.environment of the source
 */
export function openShared(cache, { resources: count, environment }) {
  const { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: apikey } = environment
  const load =
    (name) =>
    async (id, { signal }) => {
      const at = new URL(`rest/v1/${TABLE}?select=*&id=eq.${encodeURIComponent(id)}`, url)
      const answer = await fetch(at, { signal, headers: { apikey } })
      if (!answer.ok) throw new Error(`the source answered ${answer.status}`)
      const [row] = await answer.json()
      return row ? RESOURCES[name].value(row) : null
    }
  const tags = (id) => ENTRIES[numberOf(id)].tags
  const definitions = {
    text: (name) => ({ name, load: load(name), tags, fallback: RESOURCES[name].fallback }),
    object: (name) => ({
      name,
      load: load(name),
      tags: ENTRIES.find((entry) => entry.name === name).tags,
    }),
    row: (name) =>
      supabaseResource({
        name,
        table: TABLE,
        match: 'id',
        single: true,
        tags,
        fallback: RESOURCES[name].fallback(),
      }),
  }
  const names = Object.keys(RESOURCES).slice(0, count)
  const resources = Object.fromEntries(
    names.map((name) => [name, cache.resource(definitions[RESOURCES[name].kind](name))]),
  )

  return {
    read(number) {
      const { name, id } = ENTRIES[number]
      return resources[name].getEntry(id)
    },
    /** Each by the call that a server would make for it. @param {import('./changes.mjs').Change} change */
    invalidate({ kind, what }, options) {
      const [[name, ids] = []] = Object.entries(what.entries ?? {})
      if (kind === 'entry') return resources[name].invalidate(ids[0], options)
      if (kind === 'entries') return resources[name].invalidate(ids, options)
      if (kind === 'resource') return resources[what.resources[0]].invalidateAll(options)
      return cache.invalidate(what, options)
    },
  }
}
