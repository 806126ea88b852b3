// The groups that the entries of a resource belong to.
const { causeOf } = require('./encoding.cjs')
const { argumentInvalid, kindOf } = require('./errors.cjs')
const { TAG_RULE, wrongTag } = require('./names.cjs')

/**
 * @param {import('./options.cjs').Options} options
 * @param {string} name of the resource
 * @param {unknown} given
 * @param {() => { tags: Function }} held
 * @returns {((id: string) => string[]) | undefined} throws `ARGUMENT_INVALID` where the user's function gives no tags
 */
exports.tagsOf = (options, name, given, held) => {
  if (given === undefined) return undefined
  if (typeof given === 'function') return (id) => tagsFor(id, name, held)
  if (!Array.isArray(given))
    throw options.refusal('tags', kindOf(given), 'must be an array or a function')
  const wrong = Array.from(given, wrongTag)
  const index = wrong.findIndex(Boolean)
  if (index >= 0) throw options.refusal(`tags[${index}]`, wrong[index], TAG_RULE)
  const tags = Object.freeze([...new Set(given)])
  return () => tags
}

function tagsFor(id, name, held) {
  const refuse = (found) =>
    argumentInvalid(`tags of resource ${name} ${found}: they must be an array of strings`)
  const { tags } = held()
  let given
  try {
    given = tags(id)
  } catch (error) {
    throw Object.assign(refuse('threw for an id'), { cause: causeOf(error) })
  }
  if (!Array.isArray(given)) throw refuse(`gave ${kindOf(given)} for an id`)
  // Not `given.map`, which would pass over what is missing.
  const wrong = Array.from(given, wrongTag).find(Boolean)
  if (wrong) throw refuse(`gave a tag that is ${wrong}`)
  return [...new Set(given)]
}
