// The resources of a storm, as a server uses them: two with a loader in JavaScript, one that the package reads by itself.

import { SharedCache, supabaseResource } from 'grove-shared-cache'

import { optionsOf } from '../../cache-options.mjs'
import { ENTRIES, RESOURCES, numberOf } from './entries.mjs'
import { TABLE } from './truth.mjs'

/**
 * @param {object} options
 * @param {Record<string, string>} options.environment of the store
 * @param {string} options.truthUrl
 * @param {string} options.keyPrefix
 * @param {boolean} options.push
 * @param {number} [options.maxEntries]
 */
export function openShared({ environment, truthUrl, keyPrefix, push, maxEntries }) {
  const own = { supabaseUrl: truthUrl, supabaseKey: 'any', push, maxEntries, logLevel: 'silent' }
  const cache = new SharedCache(optionsOf({ environment, keyPrefix }, own))
  const load =
    (name) =>
    async (id, { signal }) => {
      const url = new URL(`rest/v1/${TABLE}?select=*&id=eq.${encodeURIComponent(id)}`, truthUrl)
      const answer = await fetch(url, { signal })
      if (!answer.ok) throw new Error(`the source answered ${answer.status}`)
      const [row] = await answer.json()
      return row ? RESOURCES[name].value(row) : null
    }
  const tags = (id) => ENTRIES[numberOf(id)].tags
  const resources = {
    text: { load: load('text'), tags, fallback: RESOURCES.text.fallback },
    object: { load: load('object'), tags: ENTRIES.find(({ name }) => name === 'object').tags },
    row: supabaseResource({
      name: 'row',
      table: TABLE,
      match: 'id',
      single: true,
      tags,
      fallback: RESOURCES.row.fallback(),
    }),
  }
  for (const [name, definition] of Object.entries(resources))
    resources[name] = cache.resource({ ...definition, name })

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
    close: () => cache.close(),
  }
}
