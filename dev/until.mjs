// Waiting for a state, never for a time.

/**
 * Waits until `state` gives something; fails after ten seconds.
 *
 * @template T
 * @param {() => T | Promise<T>} state
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(state, what = 'the state') {
  const last = Date.now() + 10_000
  for (;;) {
    const reached = await state()
    if (reached) return reached
    if (Date.now() > last) throw new Error(`${what} was not reached within ten seconds`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
