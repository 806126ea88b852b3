// What `cache.resource()` gives: one kind of value, under many ids.
const { argumentInvalid, kindOf } = require('./errors.cjs')
const { entriesOfResource, wholeResource } = require('./targets.cjs')

/**
 * @param {object} native the addon's cache
 * @param {string} name
 * @param {{ get: Function, getEntry: Function }} readers of the addon: nothing of JavaScript comes between them and a hit
 */
exports.resourceOf = (native, name, { get, getEntry }) =>
  Object.freeze({
    name,
    get,
    getEntry,

    getMany(ids) {
      if (!Array.isArray(ids))
        throw argumentInvalid(`ids are ${kindOf(ids)}: they must be an array`)
      const reads = []
      try {
        for (const id of ids) reads.push(get(id))
      } catch (error) {
        // Nobody will wait for those that began.
        Promise.allSettled(reads)
        throw error
      }
      return Promise.all(reads)
    },

    invalidate(ids, options) {
      return native.invalidate(entriesOfResource(name, ids), options)
    },

    invalidateAll(options) {
      return native.invalidate(wholeResource(name), options)
    },
  })
