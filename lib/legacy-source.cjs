// The user's `legacySource` as the addon calls it.

/**
 * @param {() => unknown} legacySource
 * @returns {() => Promise<string>} JSON, `[value]`, or `[null, word]` where it failed; never rejects. Of the user's error only the `code` or
 *   `name` is passed on: its text may hold anything.
 */
exports.legacyOf = (legacySource) => async () => {
  try {
    return JSON.stringify([await legacySource()], wellFormed)
  } catch (error) {
    const word = wordOf(error)
    return JSON.stringify([null, /^[\w.-]{1,60}$/.test(word) ? word : 'an error'])
  }
}

/** Half a surrogate pair, which JSON in UTF-8 cannot hold, becomes U+FFFD. */
const wellFormed = (_, value) => (typeof value === 'string' ? value.toWellFormed() : value)

function wordOf(error) {
  try {
    return String(error?.code ?? error?.name ?? typeof error)
  } catch {
    return ''
  }
}
