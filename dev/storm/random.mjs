// Numbers that one integer decides: mulberry32.

/** @param {number} seed @returns {() => number} each from 0 up to, but not including, 1 */
export function randomOf(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @returns {any[]} the same things in another order */
export function shuffled(things, random) {
  const rest = [...things]
  return things.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0])
}
