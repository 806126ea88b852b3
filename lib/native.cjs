// The addon. What it says of results and errors is JSON; values, errors and promises for users are made here, in the realm of the
// program that imported the package.

exports.addon = loaded()

function loaded() {
  try {
    return require('../native.js')
  } catch (error) {
    throw require('./load-failure.cjs').loadFailure(error)
  }
}

/** What `call` returns; throws a `CacheError` where the addon throws. */
exports.called = (call) => {
  try {
    return call()
  } catch (error) {
    throw errorIn(error)
  }
}

function errorIn(error) {
  const { fromNative } = require('./errors.cjs')
  let described
  try {
    described = JSON.parse(error.message)
  } catch {
    return error
  }
  return fromNative(described)
}

/** The value in what a promise of the addon resolves to; rejects with a `CacheError`. */
exports.settled = async (promise) => {
  const { value, error } = JSON.parse(await promise)
  if (error) throw require('./errors.cjs').fromNative(error)
  return value
}
