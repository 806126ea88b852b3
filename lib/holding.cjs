// Who holds the functions that a user gave for a resource.
//
// What the addon holds of JavaScript is never collected before the addon lets go of it, and a loader mostly sees the cache that it belongs
// to: held by the addon, it would keep that cache, its stream and itself for ever. So the addon has functions of ours that know
// the user's weakly; the cache, the resource and its `get` hold them.

/** Longer than a first read takes until it asks the loader: `new SharedCache().resource(…).get(id)` leaves nobody to hold it. */
const FIRST_READ_MS = 10_000

const holders = new WeakMap()

/** For as long as `holder`, a function or an object, can be reached. */
exports.holds = (holder, held) => holders.set(holder, held)

exports.holdForFirstRead = (held) => setTimeout(() => held, FIRST_READ_MS).unref()

/**
 * @template {object} T
 * @param {T} held
 * @returns {() => T} throws once nobody holds it
 */
exports.weakly = (held) => {
  const reference = new WeakRef(held)
  return () => {
    const found = reference.deref()
    if (found) return found
    throw Object.assign(new Error('nothing holds the cache and its resource any more'), {
      code: 'Collected',
    })
  }
}
