// An entry that had to leave the memory leaves its place to another one: no reader is given the other's value.
import test from 'ava'
import { SharedCache } from 'grove-shared-cache'

const SILENT = { upstashUrl: '', supabaseUrl: '', logLevel: 'silent', maxStalenessMs: 3_600_000 }
const PLACES = 8

function resourceOf(t, load) {
  const cache = new SharedCache({ ...SILENT, maxEntries: PLACES })
  t.teardown(() => cache.close())
  return { cache, resource: cache.resource({ name: 'key', load }) }
}

test('entries that take the places of others are read under their own ids', async (t) => {
  const { cache, resource } = resourceOf(t, async (id) => `the value of ${id}`)
  for (let read = 0; read < 50 * PLACES; read += 1) {
    const id = String((read * 7) % (4 * PLACES))
    t.is(await resource.get(id), `the value of ${id}`)
  }
  t.true(cache.stats().near.evictions > PLACES, 'places were taken')
})

test('an entry that comes back is loaded again', async (t) => {
  let loads = 0
  const { resource } = resourceOf(t, async (id) => `${id}, load ${(loads += 1)}`)
  t.is(await resource.get('first'), 'first, load 1')
  for (let id = 0; id < 20 * PLACES; id += 1)
    for (let read = 0; read < 3; read += 1) await resource.get(String(id))
  const before = loads
  t.is(await resource.get('first'), `first, load ${before + 1}`)
  t.is(await resource.get('first'), `first, load ${before + 1}`, 'it is in memory again')
})
