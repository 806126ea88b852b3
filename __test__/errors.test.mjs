// The one class of errors, and those that the addon describes.
import { createRequire } from 'node:module'
import test from 'ava'

const { argumentInvalid, CacheError, configInvalid, fromNative, optionsInvalid } = createRequire(
  import.meta.url,
)('../lib/errors.cjs')

test('every helper makes a CacheError that is not retryable', (t) => {
  for (const [error, code, message] of [
    [configInvalid('push', 'a number', 'must be a boolean'), 'CONFIG_INVALID', /^option push is a/],
    [optionsInvalid('null'), 'CONFIG_INVALID', /^options are null: they must be an object$/],
    [argumentInvalid('id is null'), 'ARGUMENT_INVALID', /^id is null$/],
  ]) {
    t.true(error instanceof CacheError && error instanceof Error)
    t.is(error.name, 'CacheError')
    t.is(error.code, code)
    t.is(error.retryable, false)
    t.regex(error.message, message)
    t.false('cause' in error, 'there is no empty cause')
    t.true(error.stack.startsWith(`CacheError: ${error.message}\n`))
    t.deepEqual(Object.keys(error), ['code', 'retryable'])
  }
})

test('an error of the addon keeps its code, message, retryability and cause', (t) => {
  const described = {
    code: 'STORE_UNAVAILABLE',
    message: 'could not invalidate the shared cache: no answer within 500 ms',
    retryable: true,
    cause: { code: 'timeout', message: 'no answer within 500 ms' },
  }
  const error = fromNative(described)
  t.true(error instanceof CacheError)
  const { code, message, retryable, cause } = error
  const { cause: fault, ...own } = described
  t.deepEqual({ code, message, retryable }, own)
  t.true(cause instanceof Error && !(cause instanceof CacheError))
  t.deepEqual({ code: cause.code, message: cause.message }, fault)
})

test('an error of the addon without a cause has none', (t) => {
  for (const cause of [undefined, null]) {
    const error = fromNative({
      code: 'CLOSED',
      message: 'the cache is closed',
      retryable: false,
      cause,
    })
    t.is(error.code, 'CLOSED')
    t.false('cause' in error)
  }
})
