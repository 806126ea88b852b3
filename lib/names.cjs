// What resources, entries and tags may be called.
const { argumentInvalid, kindOf } = require('./errors.cjs')

const MAX_ID_BYTES = 512
const MAX_TAG_CHARACTERS = 1024

exports.isName = (name) => typeof name === 'string' && /^[a-z0-9_.-]{1,64}$/.test(name)

/** What else the keys have in the place of a resource's name. */
const RESERVED = ['system-prompt', 'tag']

/** What is asked of the name of a resource and not so of this one; undefined if it may be one. */
exports.brokenNameRule = (name) => {
  if (!exports.isName(name)) return 'must be 1 to 64 of the characters a-z 0-9 _ . -'
  return RESERVED.includes(name) ? 'must be another: it is a word of the keys' : undefined
}

exports.TAG_RULE = `must be a well-formed string of 1 to ${MAX_TAG_CHARACTERS} characters`

/** What a tag is that is none, in words; undefined if it is one. */
exports.wrongTag = (tag) => {
  if (typeof tag !== 'string') return kindOf(tag)
  if (tag === '') return 'empty'
  if (tag.length > MAX_TAG_CHARACTERS) return `${tag.length} characters long`
  return tag.isWellFormed() ? undefined : 'not well formed'
}

/** What an id is that is none, and what it must be; undefined if it is one. Nothing of it is in the words: ids come from users. */
exports.wrongId = (id) => {
  const rule = 'it must be a string or a safe integer'
  if (typeof id === 'number')
    return Number.isSafeInteger(id) ? undefined : `a number that is no safe integer: ${rule}`
  if (typeof id !== 'string') return `${kindOf(id)}: ${rule}`
  const bytes = Buffer.byteLength(id)
  if (bytes < 1 || bytes > MAX_ID_BYTES)
    return `${bytes} bytes long: it must be 1 to ${MAX_ID_BYTES} bytes in UTF-8`
  return id.isWellFormed()
    ? undefined
    : 'not well formed: it must not hold half of a surrogate pair'
}

/** An id as it is in keys. */
exports.idText = (id) => {
  const wrong = exports.wrongId(id)
  if (wrong) throw argumentInvalid(`id is ${wrong}`)
  return String(id)
}
