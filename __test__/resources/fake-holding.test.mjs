// What holds a cache, its resources and the functions that the user gave for them. The addon is played, and holds its definitions for
// ever, as the real one may. Programs of their own, in which nothing else is collected.
import test from 'ava'

import { runProgram } from '../support/program.mjs'

const BEGIN = `
  import { fakeCache } from './__test__/support/fake-addon.mjs'
  import { setTimeout as wait } from 'node:timers/promises'
  const rooted = []
  // The user's functions see the cache that they belong to.
  function make() {
    const { cache, addon } = fakeCache({ logLevel: 'silent' })
    const resource = cache.resource({
      name: 'thing',
      load: async (id) => (cache ? 'v' + id : ''),
      tags: (id) => (cache ? ['t' + id] : []),
      fallback: () => (cache ? 'none' : ''),
    })
    const [definition] = addon.definitions.splice(0)
    rooted.push(definition)
    return { cache, resource, definition }
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

/** As if the time of a first read were over. */
const OVER = `
  const real = globalThis.setTimeout
  globalThis.setTimeout = (run, ms, ...more) => real(run, ms === 10_000 ? 0 : ms, ...more)`

test('a cache that its own loader sees is collected, and the addon is told that it is gone', async (t) => {
  await prints(
    t,
    `${OVER}
    const gone = new WeakRef(make().cache)
    await wait(5)
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
      `${OVER}
      globalThis.kept = make().${kept}
      await wait(5)
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
    `const asked = make().definition
    await collect()
    console.log(JSON.stringify(await asked.load('1', 50)))`,
    'sv1',
  )
})

test('a resource does not keep the process alive, and neither does its cache', async (t) => {
  const begun = performance.now()
  await prints(t, `make(); console.log(1)`, 1)
  t.true(performance.now() - begun < 9000)
})
