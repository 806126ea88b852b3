// The class `SharedCache`. What few programs use is read when they do: all of it would cost the start 4 ms.
const { Core } = require('./core.cjs')
const { settled } = require('./native.cjs')
const { systemPromptOf } = require('./system-prompt.cjs')

exports.SharedCache = class SharedCache {
  #core
  #given
  #webhook
  /** By name, with the tables that concern each, and what must be held for as long as this is. */
  #resources = new Map()

  constructor(options) {
    this.#given = options === undefined ? {} : require('./settings.cjs').checkedOptions(options)
    this.#core = new Core(this.#given)
    Object.defineProperty(this, 'systemPrompt', {
      value: systemPromptOf(this.#core),
      enumerable: true,
    })
  }

  resource(options) {
    const { definitionOf } = require('./definition.cjs')
    const { resourceOf } = require('./resource.cjs')
    const { definition, held, tables } = definitionOf(options)
    const { name } = definition
    if (this.#resources.has(name)) throw twice(name)
    this.#resources.set(name, { name, tables, held })
    return resourceOf(this.#core, definition, held)
  }

  async invalidate(targets, options) {
    const { invalidated } = require('./invalidation.cjs')
    const { targetsOf } = require('./targets.cjs')
    return invalidated(this.#core, JSON.stringify(targetsOf(targets)), options)
  }

  async handleSupabaseWebhook(request) {
    this.#webhook ??= require('./webhook.cjs').webhookOf(this, this.#given, this.#resources)
    return this.#webhook(request)
  }

  async get(key) {
    const { decodedText, keyOf } = require('./plain-values.cjs')
    const { native } = this.#core
    const text = await settled(native.get(keyOf(key)))
    return text === null ? null : decodedText(text)
  }

  async set(key, value, ttlSeconds) {
    const { encodedText, keyOf, ttlOf } = require('./plain-values.cjs')
    const given = [keyOf(key), encodedText(value), ttlOf(ttlSeconds)]
    await settled(this.#core.native.set(...given))
  }

  async del(key) {
    const { keyOf } = require('./plain-values.cjs')
    const { native } = this.#core
    return settled(native.del(keyOf(key)))
  }

  stats() {
    return JSON.parse(this.#core.opened.stats())
  }

  metrics() {
    return this.#core.opened.metrics()
  }

  async debug() {
    const { debugOf } = require('./debug.cjs')
    return debugOf(await settled(this.#core.opened.debug(false)))
  }

  async close() {
    const closing = this.#core.close()
    if (closing) await settled(closing)
  }

  /** For `configure()`: later calls say that it was replaced. */
  static replace(cache) {
    const closing = cache.#core.close('the cache was replaced by configure()')
    if (closing) settled(closing).catch(() => {})
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
