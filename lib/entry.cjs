// One entry, as its readers are given it. A hit is a call of the addon, which says that the value in hand may be served, and
// a promise that was resolved before: nothing is copied, and nothing is made.
const { NONE } = require('./core.cjs')
const { called } = require('./native.cjs')

/** What a read gave. */
class Reading {
  #details
  #value

  /** @param {[number, string | null, string]} read by the addon */
  constructor([, content, details]) {
    this.content = content
    this.#details = details
  }

  get details() {
    if (typeof this.#details === 'string') this.#details = JSON.parse(this.#details)
    return this.#details
  }

  /** What the content means; made once, and given to all. */
  decoded(decode) {
    this.#value ??= { decoded: decode(this) }
    return this.#value.decoded
  }
}

exports.Entry = class Entry {
  #core
  #open
  #forms
  #isShared
  #handle = NONE
  /** The number of the value in hand, from 1, what was read, and a promise of each form of it. */
  #number = 0
  #reading
  #promises = []
  /** The number of the load under way, from 1, and a promise of what it reads. */
  #load = 0
  #loading

  /**
   * @param {import('./core.cjs').Core} core
   * @param {object} parts
   * @param {(entry: Entry) => number} parts.open gives the handle: at the first read, and when the entry had to leave the memory
   * @param {Array<(reading: Reading) => unknown>} parts.forms what is given to reads of a form; what one throws they are rejected with
   * @param {(reading: Reading) => boolean} parts.isShared whether readers may be given the same
   */
  constructor(core, { open, forms, isShared }) {
    this.#core = core
    this.#open = open
    this.#forms = forms
    this.#isShared = isShared
  }

  /** @returns {Promise<unknown>} in the form of this index */
  read(form) {
    const found = this.#core.hit(this.#handle, this.#number)
    if (found === true) return this.#promises[form] ?? this.#promise(form)
    return found === false ? this.#ask(form) : this.#take(found, form)
  }

  /** The handle stands for nothing any more. */
  leave(handle) {
    if (handle === this.#handle) this.#handle = NONE
    return this.#handle === NONE
  }

  #take(found, form) {
    this.#number = found[0]
    this.#reading = new Reading(found)
    this.#promises = []
    return this.#promise(form)
  }

  #promise(form) {
    const promise = new Promise((resolve) => resolve(this.#forms[form](this.#reading)))
    if (this.#isShared(this.#reading)) this.#promises[form] = promise
    return promise
  }

  #ask(form) {
    try {
      const { native } = this.#core
      if (this.#handle === NONE) this.#handle = this.#open(this)
      let asked = called(() => native.ask(this.#handle, this.#load))
      if (asked === false) {
        this.#handle = this.#open(this)
        asked = called(() => native.ask(this.#handle, 0))
      }
      if (asked !== true) this.#begin(asked)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#loading.then(this.#forms[form])
  }

  #begin([load, reading]) {
    this.#load = load
    const loading = reading.then((read) => {
      if (this.#loading === loading) {
        this.#load = 0
        this.#loading = undefined
      }
      return new Reading(read)
    })
    this.#loading = loading
  }
}
