// Who holds the functions that a user gave for a resource.
//
// What the addon holds of JavaScript is never collected before the addon lets go of it, and a loader mostly sees the cache that it belongs
// to: held by the addon, it would keep that cache, its stream and itself for ever. So the addon has a function of ours that knows
// the user's weakly. The cache, the resource, each of its functions and every read under way hold them.

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
