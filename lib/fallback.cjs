// What is served where nobody has a value.
const { argumentInvalid, kindOf } = require('./errors.cjs')
const { decoded, encoded } = require('./encoding.cjs')

const RULE = 'must be a string, bytes, or what JSON has a text for'

/**
 * @param {import('./options.cjs').Options} options
 * @param {string} name of the resource
 * @param {unknown} given
 * @param {() => { fallback: Function }} held
 * @returns {((id: string) => unknown) | undefined} throws where there is none for an id
 */
exports.fallbackOf = (options, name, given, held) => {
  if (given === undefined) return undefined
  if (typeof given === 'function') return (id) => standIn(name, held().fallback(id))
  const text = sound(given)
  if (text) return () => decoded(text)
  throw options.refusal('fallback', kindOf(given), RULE)
}

/** A copy, as a value that was loaded would be one. */
function standIn(name, given) {
  const text = given === undefined ? undefined : sound(given)
  if (text) return decoded(text)
  throw argumentInvalid(`fallback of resource ${name} gave ${kindOf(given)}: it ${RULE}`)
}

/** Its text; undefined if it has none, or is one that is still to come. */
function sound(value) {
  if (typeof value?.then === 'function') return undefined
  const text = encoded(value)
  return text[0] === 'e' ? undefined : text
}
