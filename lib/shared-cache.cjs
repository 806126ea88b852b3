// The class for many values. What it needs is read when the first is made: most programs that import the package have none.

/**
 * @param {{ __sharedCache: (options: object) => object }} addon
 * @returns {new (options?: object) => object} the class `SharedCache`
 */
exports.sharedCache = (addon) =>
  class SharedCache {
    #native
    #secret
    #warn
    #webhook
    /** By name, with the tables that concern each, and what must be held for as long as this is. */
    #resources = new Map()

    constructor(options) {
      const { cacheOptions } = require('./cache-options.cjs')
      const { native, secret, warn } = cacheOptions(options)
      this.#native = addon.__sharedCache(native)
      this.#secret = secret
      this.#warn = warn
    }

    resource(options) {
      const { definitionOf } = require('./definition.cjs')
      const { holdForFirstRead, holds } = require('./holding.cjs')
      const { resourceOf } = require('./resource.cjs')
      const native = this.#native
      const { definition, held, tables } = definitionOf(options)
      const { name } = definition
      if (this.#resources.has(name)) throw twice(name)
      const readers = native.resource(definition)
      this.#resources.set(name, { name, tables, held })
      // Whoever reads needs the addon's cache too.
      for (const read of [readers.get, readers.getEntry]) holds(read, { held, native })
      holdForFirstRead(held)
      return resourceOf(native, name, readers)
    }

    invalidate(targets, options) {
      const { targetsOf } = require('./targets.cjs')
      return this.#native.invalidate(targetsOf(targets), options)
    }

    handleSupabaseWebhook(request) {
      this.#webhook ??= require('./webhook.cjs').webhookHandler({
        secret: this.#secret,
        resources: () => this.#resources.values(),
        invalidate: async (targets) => this.invalidate(targets),
        warn: this.#warn,
      })
      return this.#webhook(request)
    }

    stats() {
      return this.#native.stats()
    }

    metrics() {
      return this.#native.metrics()
    }

    close() {
      return this.#native.close()
    }
  }

function twice(name) {
  const { configInvalid, shown } = require('./errors.cjs')
  return configInvalid(
    'name',
    shown(name),
    'must be another: the cache has a resource of this name',
  )
}
