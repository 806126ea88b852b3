// A resource of a cache: one kind of value, under many ids.
const { Entry } = require('./entry.cjs')
const { argumentInvalid, fromNative, kindOf } = require('./errors.cjs')
const { decoded } = require('./encoding.cjs')
const { invalidated } = require('./invalidation.cjs')
const { called } = require('./native.cjs')
const { idText } = require('./names.cjs')
const { entriesOfResource, wholeResource } = require('./targets.cjs')

/** How a text is marked that `decoded` reads. */
const MARKS = { text: 's', json: 'j', bytes: 'b' }

/**
 * @param {import('./core.cjs').Core} core
 * @param {object} definition as `definitionOf` gives it
 * @param {object} held the user's functions, which the addon knows weakly
 * @returns {object} what `cache.resource()` gives. Frozen; its functions need no `this`
 */
exports.resourceOf = (core, definition, held) => {
  const { name } = definition
  const entries = entriesOf(core, definition, held)
  const entryOf = (id) =>
    entries.known.get(typeof id === 'string' ? id : textOf(id)) ?? entries.first(id)
  return Object.freeze({
    name,
    get: (id) => entryOf(id).read(),
    getEntry: (id) => entryOf(id).readDetailed(),

    async getMany(ids) {
      if (!Array.isArray(ids))
        throw argumentInvalid(`ids are ${kindOf(ids)}: they must be an array`)
      // First all ids: nobody would wait for reads that began.
      return Promise.all(Array.from(ids, (id) => idText(id)).map((id) => entryOf(id).read()))
    },

    async invalidate(ids, options) {
      return invalidated(core, JSON.stringify(entriesOfResource(name, ids)), options)
    },

    async invalidateAll(options) {
      return invalidated(core, JSON.stringify(wholeResource(name)), options)
    },
  })
}

function entriesOf(core, definition, held) {
  const known = new Map()
  let number
  /** The number of the resource in the addon, once it was read. */
  const resource = () => {
    const { native } = core
    const { load, tags: _, fallback: __, ...plain } = definition
    number ??= called(() => native.resource(JSON.stringify(plain), load))
    return number
  }
  const open = (id) => (entry) => {
    const opened = resource()
    const tags = definition.tags?.(id) ?? []
    const forget = (handle) => {
      if (entry.leave(handle) && known.get(id) === entry) known.delete(id)
    }
    const handle = core.enter(opened, id, tags, forget)
    known.set(id, entry)
    return handle
  }
  const first = (given) => {
    let id
    try {
      id = idText(given)
    } catch (error) {
      return refusing(error)
    }
    return new Entry(core, {
      open: open(id),
      forms: formsOf((reading) => standIn(definition, id, reading)),
      isShared,
      held,
    })
  }
  // Who reads holds the user's functions.
  return { known, first, held }
}

/** Of an id that is none. */
function refusing(error) {
  const reject = () => Promise.reject(error)
  return { read: reject, readDetailed: reject }
}

const textOf = (id) => (Number.isSafeInteger(id) ? String(id) : undefined)

/** Bytes can be changed, so each reader has his own; so may what stands in. */
function isShared({ details }) {
  return details.kind !== 'bytes' && !details.error
}

/** What `get` and `getEntry` give, in the order of their numbers. */
function formsOf(standIn) {
  const valueOf = (reading) => {
    if (reading.details.error) return standIn(reading)
    return isShared(reading) ? reading.decoded(contentOf) : contentOf(reading)
  }
  return [
    valueOf,
    (reading) => {
      const { tier, source, fetchedAt, generation } = reading.details
      return Object.freeze({ value: valueOf(reading), tier, source, fetchedAt, generation })
    },
  ]
}

const contentOf = ({ content, details }) => decoded(`${MARKS[details.kind] ?? 'n'}${content}`)

/** What is served where nobody has a value. */
function standIn({ fallback }, id, { details }) {
  if (fallback) {
    try {
      return fallback(id)
    } catch {
      // One that throws is none.
    }
  }
  throw fromNative(details.error)
}
