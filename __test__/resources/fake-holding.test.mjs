// What holds a cache, its resources and the functions that the user gave for them. The addon's side is what
// `definitionOf` gives, which is held for ever here, as the real one may. Programs of their own, in which nothing else is collected.
import test from 'ava'

import { runProgram } from '../support/program.mjs'

const BEGIN = `
  import { createRequire } from 'node:module'
  import { fakeCache } from './__test__/support/fake-addon.mjs'
  const require = createRequire(process.cwd() + '/index.mjs')
  const rooted = []
  // What the cache makes of its options, too.
  const definitions = require('./lib/definition.cjs')
  const { definitionOf } = definitions
  definitions.definitionOf = (options) => {
    const made = definitionOf(options)
    rooted.push(made.definition)
    return made
  }
  // The user's functions see the cache that they belong to.
  function make() {
    const { cache, addon } = fakeCache({ logLevel: 'silent' })
    const resource = cache.resource({
      name: 'thing',
      load: async (id) => (cache ? 'v' + id : ''),
      tags: (id) => (cache ? ['t' + id] : []),
      fallback: () => (cache ? 'none' : ''),
    })
    return { cache, resource, addon }
  }
  const collect = async () => {
    for (let turn = 0; turn < 5; turn++) {
      gc()
      await new Promise(setImmediate)
    }
  }`

async function prints(t, body, expected) {
  const flags = ['--expose-gc']
  const { status, stdout, stderr } = await runProgram(`${BEGIN}\n${body}`, { flags })
  t.is(status, 0, stderr)
  t.deepEqual(JSON.parse(stdout), expected)
}

test('a cache that its own loader sees is collected, and the addon is told that it is gone', async (t) => {
  await prints(
    t,
    `const gone = new WeakRef(make().cache)
    await collect()
    const [{ load, tags, fallback }] = rooted
    const thrown = []
    for (const call of [tags, fallback]) {
      try {
        call('1')
      } catch (error) {
        thrown.push(error.code)
      }
    }
    console.log(JSON.stringify([gone.deref() === undefined, JSON.parse((await load('1', 50)).slice(1)).word, thrown]))`,
    [true, 'Collected', ['Collected', 'Collected']],
  )
})

for (const [what, kept] of [
  ['the cache', 'cache'],
  ['the resource', 'resource'],
  ['nothing but get', 'resource.get'],
  ['nothing but getEntry', 'resource.getEntry'],
]) {
  test(`whoever has ${what} has the loader`, async (t) => {
    await prints(
      t,
      `globalThis.kept = make().${kept}
        await collect()
      const [{ load, tags, fallback }] = rooted
      console.log(JSON.stringify([await load('1', 50), tags('1'), fallback('1')]))`,
      ['sv1', ['t1'], 'none'],
    )
  })
}

test('a first read needs nobody who has the cache', async (t) => {
  await prints(
    t,
    `let loaded
    const asked = (() => {
      const { cache } = fakeCache({ logLevel: 'silent' })
      const load = async (id) => {
        await new Promise((resolve) => (loaded = resolve))
        throw new Error('of ' + id)
      }
      return cache.resource({ name: 'thing', load, fallback: (id) => 'none for ' + id }).get('1')
    })()
    await collect()
    loaded()
    console.log(JSON.stringify(await asked))`,
    'none for 1',
  )
})

test('a resource does not keep the process alive, and neither does its cache', async (t) => {
  await prints(t, `globalThis.kept = make(); console.log(1)`, 1)
})
