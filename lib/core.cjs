// What the parts of one `SharedCache` have in common: its options, and the addon's cache, which is made at the first use.
const { addon, called } = require('./native.cjs')

/** A handle that no entry has. */
const NONE = 0xffffffff
const never = () => false

exports.Core = class Core {
  #given
  #native
  /** Why it is closed. */
  #closed
  #prompt = NONE
  /** By handle, what is to be done when its entry had to leave the memory. */
  #forget = []
  /** `hit(handle, known)`: true where the value of the number `known` may be served, what another one is, or false. */
  hit = never

  /** @param {object} given options that were checked */
  constructor(given) {
    this.#given = given
  }

  /** @returns {object} the addon's cache; throws `CLOSED` and `CONFIG_INVALID` */
  get native() {
    if (this.#closed) throw this.closedError()
    return this.opened
  }

  /** The same of a closed one too, which is closed again then. */
  get opened() {
    if (this.#native === undefined) this.#open()
    return this.#native
  }

  #open() {
    const { environment, settingsOf } = require('./settings.cjs')
    const { logWriter } = require('./log.cjs')
    const settings = JSON.stringify(settingsOf(this.#given, environment()))
    const log = logWriter(this.#given.onLog)
    this.#native = called(() => new addon.NativeCache(settings, log))
    if (this.#closed) this.#native.close()
    else this.hit = this.#native.hitFunction()
  }

  /** The handle of the system prompt, in a cache that is open. */
  prompt(native = this.native) {
    if (this.#prompt === NONE) {
      const { legacySource } = this.#given
      const legacy = legacySource && require('./legacy-source.cjs').legacyOf(legacySource)
      this.#prompt = called(() => native.systemPrompt(legacy))
    }
    return this.#prompt
  }

  /**
   * Begins an entry of a resource.
   *
   * @param {(handle: number) => void} forget called when the handle stands for nothing any more
   * @returns {number} its handle
   */
  enter(resource, id, tags, forget) {
    const [handle, ...vacated] = called(() => this.native.enter(resource, id, tags))
    for (const gone of vacated) this.#forget[gone]?.(gone)
    this.#forget[handle] = forget
    return handle
  }

  get isClosed() {
    return this.#closed !== undefined
  }

  closedError() {
    const { CacheError } = require('./errors.cjs')
    return new CacheError('CLOSED', `${this.#closed}; call configure() or make a new one`)
  }

  /** @returns {Promise<string> | undefined} of the addon, if it was ever used */
  close(why = 'the cache is closed') {
    this.#closed ??= why
    this.hit = never
    this.#forget = []
    return this.#native?.close()
  }
}

exports.NONE = NONE
