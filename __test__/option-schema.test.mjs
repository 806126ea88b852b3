// The options of resources and invalidations are in the schema as the calls check them.
import { createRequire } from 'node:module'
import test from 'ava'

const require = createRequire(import.meta.url)
const { definitionOf } = require('../lib/definition.cjs')
const { CacheError } = require('../lib/errors.cjs')
const { checkedInvalidateOptions } = require('../lib/invalidate-options.cjs')
const { checked } = require('../lib/option-rules.cjs')
const { queryOptions, resourceOptions } = require('../lib/option-schema.cjs')
const { QUERY_OPTIONS } = require('../lib/supabase-query.cjs')

const LENS = { name: 'lens', load: () => null }
const QUERY = { table: 'lenses', match: 'id' }

test('a resource takes the options of the schema', (t) => {
  const names = resourceOptions.map(({ name }) => name).join(', ')
  t.throws(() => definitionOf({ ...LENS, ttl: 5 }), {
    message: `option ttl of resource lens is not known: it must be one of ${names}`,
  })
  const numbers = resourceOptions.filter(({ rule }) => rule === 'whole')
  t.deepEqual(
    numbers.map(({ name }) => name),
    ['ttlSeconds', 'loadTimeoutMs'],
  )
  for (const { name, least, most } of numbers) {
    for (const number of [least - 1, most + 1]) {
      t.throws(() => definitionOf({ ...LENS, [name]: number }), {
        message: `option ${name} of resource lens is ${number}: it must be a whole number from ${least} to ${most}`,
      })
    }
    t.is(definitionOf({ ...LENS, [name]: most }).definition[name], most)
  }
})

/** Queries that are wrong. */
const QUERIES = [
  {},
  { table: 'lenses' },
  { ...QUERY, having: 'x' },
  { ...QUERY, table: '' },
  { ...QUERY, table: 5 },
  { ...QUERY, match: 'ö'.repeat(32) },
  { ...QUERY, schema: 'x'.repeat(64) },
  { ...QUERY, select: 'x'.repeat(4097) },
  { ...QUERY, order: '\ud800' },
  { ...QUERY, limit: 0 },
  { ...QUERY, limit: 1_000_001 },
  { ...QUERY, single: 'yes' },
]
test('a query is refused by the schema as it is by a resource', (t) => {
  t.deepEqual(
    queryOptions.map(({ name }) => name),
    QUERY_OPTIONS,
  )
  for (const supabase of QUERIES) {
    const { message } = t.throws(() => definitionOf({ name: 'lens', supabase }))
    const bySchema = () => checked(supabase, queryOptions, ' of resource lens')
    t.throws(bySchema, { instanceOf: CacheError, code: 'CONFIG_INVALID', message })
  }
  const options = { ...QUERY, where: { live: true }, limit: 1_000_000, single: true }
  t.deepEqual(checked(options, queryOptions), options)
})

const NOT_BOTH = "option timeoutMs is given: it must come with wait: 'all'"

/** Options of an invalidation that are wrong. */
const REFUSED = [
  ['all', 'options are a string: they must be an object'],
  [null, 'options are null: they must be an object'],
  [[], 'options are an array: they must be an object'],
  [{ timeout: 5 }, 'option timeout is not known: it must be one of wait, timeoutMs'],
  [{ wait: true }, 'option wait is a boolean: it must be a string; leave it out for the default'],
  [{ wait: 'everybody' }, "option wait is \"everybody\": it must be 'commit' or 'all'"],
  [{ wait: 'x'.repeat(41) }, "option wait is a longer string: it must be 'commit' or 'all'"],
  [
    { wait: 'all', timeoutMs: '5' },
    'option timeoutMs is a string: it must be a number; leave it out for the default',
  ],
  ...[0, 0.5, NaN, 3600001].map((timeoutMs) => [
    { wait: 'all', timeoutMs },
    `option timeoutMs is ${timeoutMs}: it must be a whole number from 1 to 3600000`,
  ]),
  [{ timeoutMs: 5 }, NOT_BOTH],
]
for (const [options, message] of REFUSED) {
  test(`an invalidation refuses: ${message}`, (t) => {
    const error = t.throws(() => checkedInvalidateOptions(options), { instanceOf: CacheError })
    t.is(error.code, 'ARGUMENT_INVALID')
    t.is(error.message, message)
  })
}

test('an invalidation waits for the commit, unless it is asked for more', (t) => {
  for (const options of [undefined, {}, { wait: undefined, timeoutMs: undefined }]) {
    t.deepEqual(checkedInvalidateOptions(options), { wait: 'commit', timeoutMs: null })
  }
  t.deepEqual(checkedInvalidateOptions({ wait: 'all' }), { wait: 'all', timeoutMs: null })
  t.deepEqual(checkedInvalidateOptions({ wait: 'all', timeoutMs: 5 }), {
    wait: 'all',
    timeoutMs: 5,
  })
})

test('what a getter of an invalidation throws is passed on', (t) => {
  const options = {
    get wait() {
      throw new RangeError('mine')
    },
  }
  t.throws(() => checkedInvalidateOptions(options), { instanceOf: RangeError, message: 'mine' })
})
