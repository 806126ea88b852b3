// What becomes of a loader's value, its error and its time on the way to the addon, which is played here.
import { getEventListeners } from 'node:events'
import { createRequire } from 'node:module'
import vm from 'node:vm'
import test from 'ava'
import fc from 'fast-check'

import { definitionFor, resourceFor } from '../support/fake-addon.mjs'
import { runProgram } from '../support/program.mjs'

const { decoded } = createRequire(import.meta.url)('../../lib/encoding.cjs')

/** The text that the addon receives for what the loader does. */
const outcomeOf = (load, timeoutMs = 1000) => definitionFor({ load }).load('id', timeoutMs)
const errorOf = async (load, timeoutMs) => {
  const text = await outcomeOf(load, timeoutMs)
  if (text[0] !== 'e') throw new Error(`no error, but ${text}`)
  return JSON.parse(text.slice(1))
}
/** A string of any UTF-16 units, halves of surrogate pairs too. */
const units = fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes))

test('a string is sent as it is', async (t) => {
  for (const text of ['', '123', 'null', '{"a":1}', 'sx', 'nöt ☃ 🌳', '\0\n', '"']) {
    t.is(await outcomeOf(() => text), `s${text}`)
  }
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
      t.is(await outcomeOf(async () => text), `s${text}`)
    }),
  )
})

test('half of a surrogate pair in a string becomes U+FFFD', async (t) => {
  t.is(await outcomeOf(() => 'a\ud800b'), 'sa\ufffdb')
  await fc.assert(
    fc.asyncProperty(units, async (text) => {
      const sent = await outcomeOf(() => text)
      t.true(sent.isWellFormed())
      t.is(sent.length, text.length + 1)
    }),
  )
})

test('bytes are sent as base64, a part of a buffer as that part', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), fc.nat(20), async (bytes, from) => {
      const part = bytes.subarray(from)
      const expected = `b${Buffer.from(part).toString('base64')}`
      t.is(await outcomeOf(() => part), expected)
      t.is(await outcomeOf(() => Buffer.from(part)), expected)
      t.is(await outcomeOf(() => part.slice().buffer), expected)
      t.deepEqual(decoded(expected), Buffer.from(part))
    }),
  )
  const shared = new Uint8Array(new SharedArrayBuffer(2))
  t.is(await outcomeOf(() => shared.fill(1)), 'bAQE=')
  const elsewhere = vm.runInNewContext('new Uint8Array([1, 1])')
  t.is(await outcomeOf(() => elsewhere), 'bAQE=', 'of another realm')
})

test('everything else is sent as JSON says it', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const text = await outcomeOf(async () => ({ value }))
      t.is(text, `j${JSON.stringify({ value })}`)
      t.deepEqual(decoded(text), JSON.parse(JSON.stringify({ value })))
    }),
  )
  const date = new Date(0)
  t.is(await outcomeOf(() => date), 'j"1970-01-01T00:00:00.000Z"')
  t.is(await outcomeOf(() => [undefined, () => {}, NaN, -0]), 'j[null,null,null,0]')
  for (const value of [0, false, '', [], {}]) {
    t.not(await outcomeOf(() => value), 'n', `${JSON.stringify(value)} is a value`)
  }
})

test('null and undefined are nothing', async (t) => {
  for (const load of [() => null, () => undefined, () => {}, async () => null]) {
    t.is(await outcomeOf(load), 'n')
  }
})

test('what JSON has no text for is an error that says so', async (t) => {
  const cyclic = {}
  cyclic.self = cyclic
  const detached = new ArrayBuffer(8)
  structuredClone(detached, { transfer: [detached] })
  for (const [value, message] of [
    [() => {}, /^the value is a function that JSON has no text for; give a string, bytes, or/],
    [Symbol('x'), /^the value is a symbol that JSON has no text for/],
    [{ toJSON: () => undefined }, /^the value is an object that JSON has no text for/],
    [10n, /BigInt/],
    [{ deep: [10n] }, /BigInt/],
    [cyclic, /circular/],
    [detached, /detached/],
    [vm.runInNewContext('new Proxy({}, { ownKeys() { throw new Error("mine") } })'), /^mine$/],
  ]) {
    const error = await errorOf(() => value)
    t.regex(error.message, message)
    t.regex(error.word, /^(TypeError|Error)$/)
  }
})

test('a loader that throws is as one that rejects', async (t) => {
  const thrown = Object.assign(new RangeError('no hub'), { code: 'PGRST116' })
  const expected = { word: 'PGRST116', message: 'no hub' }
  for (const load of [
    () => {
      throw thrown
    },
    async () => {
      throw thrown
    },
    () => ({ then: (_, reject) => reject(thrown) }),
    () => ({
      get then() {
        throw thrown
      },
    }),
  ]) {
    t.deepEqual(await errorOf(load), expected)
  }
})

test('a thenable is followed', async (t) => {
  t.is(await outcomeOf(() => ({ then: (resolve) => resolve('later') })), 'slater')
})

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
for (const [what, thrown, expected] of [
  ['an error', new TypeError('x'), { word: 'TypeError', message: 'x' }],
  ['an object', { code: '42P01', message: 'm' }, { word: '42P01', message: 'm' }],
  ['a string', 'text', { word: 'Error', message: 'text' }],
  ['undefined', undefined, { word: 'Error', message: 'undefined was thrown' }],
  [
    'a code that is no word',
    { code: 'a b', name: 'N' },
    { word: 'N', message: 'an object was thrown' },
  ],
  [
    'a code that is a number',
    new DOMException('m', 'NetworkError'),
    { word: 'NetworkError', message: 'm' },
  ],
  ['half of a surrogate pair', new Error('\ud800'), { word: 'Error', message: '\ufffd' }],
  ['a proxy that is over', revoked(), { word: 'Error', message: 'an object was thrown' }],
]) {
  test(`of what a loader throws there is a word and a message: ${what}`, async (t) => {
    t.deepEqual(await errorOf(() => Promise.reject(thrown)), expected)
  })
}

test('a message is cut at a thousand characters', async (t) => {
  const { message } = await errorOf(() => Promise.reject(new Error('x'.repeat(5000))))
  t.is(message, `${'x'.repeat(1000)}…`)
})

test('at the deadline the signal is aborted and the load given up, whatever it does', async (t) => {
  let seen
  const { word, message } = await errorOf((_, { signal }) => {
    seen = signal
    return new Promise(() => {})
  }, 20)
  t.is(word, 'TimeoutError')
  t.is(message, 'the loader of resource thing took longer than 20 ms')
  t.true(seen.aborted)
  t.is(seen.reason.name, 'TimeoutError')
  t.true(seen.reason instanceof DOMException)
})

test('a loader that heeds the signal is no other error than one that does not', async (t) => {
  const { word } = await errorOf(
    (_, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('of the signal')))
      }),
    20,
  )
  t.is(word, 'TimeoutError')
})

test('what comes after the deadline is not even read', async (t) => {
  let finish
  let read = false
  const load = () => new Promise((resolve) => (finish = resolve))
  t.is((await errorOf(load, 20)).word, 'TimeoutError')
  finish({ toJSON: () => (read = true) })
  await new Promise(setImmediate)
  t.false(read)
})

test('a load that ends in time leaves its signal as it was', async (t) => {
  let seen
  const text = await outcomeOf((_, { signal }) => {
    seen = signal
    return 'in time'
  }, 20)
  t.is(text, 'sin time')
  // Begun later, with the same deadline: the first one's would be over too.
  t.is((await errorOf(() => new Promise(() => {}), 20)).word, 'TimeoutError')
  t.false(seen.aborted)
  t.is(getEventListeners(seen, 'abort').length, 0)
})

test('the loader is given the id as a string, and nothing to be called on', async (t) => {
  const given = []
  const { resource } = resourceFor({
    load(...words) {
      given.push([this, words[0], Object.keys(words[1]), words.length])
      return 'x'
    },
  })
  await resource.get(7)
  t.deepEqual(given, [[undefined, '7', ['signal'], 2]])
})

test('a load that never ends does not keep the process alive', async (t) => {
  const { status, signal, stdout } = await runProgram(`
    import { definitionFor, resourceFor } from './__test__/support/fake-addon.mjs'
    definitionFor({ load: () => new Promise(() => {}) }).load('id', 3_600_000)
    console.log('begun')`)
  t.deepEqual([status, signal, stdout], [0, null, 'begun\n'])
})
