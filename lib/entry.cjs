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

/** What is read of an entry. */
exports.VALUE = 0
exports.DETAILED = 1

exports.Entry = class Entry {
  // What a hit reads comes first, to be together.
  #core
  #handle = NONE
  /** The number of the value in hand, from 1, and a promise of each form of it. */
  #number = 0
  #value
  #detailed
  #reading
  #parts
  /** The number of the load under way, from 1, and a promise of what it reads. */
  #load = 0
  #loading

  /**
   * @param {import('./core.cjs').Core} core
   * @param {object} parts
   * @param {(entry: Entry) => number} parts.open gives the handle: at the first read, and when the entry had to leave the memory
   * @param {[Function, Function]} parts.forms the value of a reading, and the same with what is known about it; what one throws, reads are
   *   rejected with
   * @param {(reading: Reading) => boolean} parts.isShared whether readers may be given the same
   * @param {unknown} [parts.held] what has to be there while a read is under way
   */
  constructor(core, parts) {
    this.#core = core
    this.#parts = parts
  }

  /** @returns {Promise<unknown>} */
  read() {
    const found = this.#core.hit(this.#handle, this.#number)
    if (found === true) return this.#value ?? this.#promise(exports.VALUE)
    return found === false ? this.#ask(exports.VALUE) : this.#take(found, exports.VALUE)
  }

  /** @returns {Promise<unknown>} with what is known about it */
  readDetailed() {
    const found = this.#core.hit(this.#handle, this.#number)
    if (found === true) return this.#detailed ?? this.#promise(exports.DETAILED)
    return found === false ? this.#ask(exports.DETAILED) : this.#take(found, exports.DETAILED)
  }

  /** The handle stands for nothing any more; whether it was the one in use. Values and loads of the next are numbered from 1 again. */
  leave(handle) {
    if (handle !== this.#handle) return false
    this.#handle = NONE
    this.#number = 0
    this.#reading = undefined
    this.#value = undefined
    this.#detailed = undefined
    this.#load = 0
    this.#loading = undefined
    return true
  }

  #take(found, form) {
    this.#number = found[0]
    this.#reading = new Reading(found)
    this.#value = undefined
    this.#detailed = undefined
    return this.#promise(form)
  }

  #promise(form) {
    const promise = new Promise((resolve) => resolve(this.#parts.forms[form](this.#reading)))
    if (this.#parts.isShared(this.#reading)) {
      if (form === exports.VALUE) this.#value = promise
      else this.#detailed = promise
    }
    return promise
  }

  #ask(form) {
    try {
      const { native } = this.#core
      if (this.#handle === NONE) this.#handle = this.#parts.open(this)
      let asked = called(() => native.ask(this.#handle, this.#load))
      if (asked === false) {
        this.leave(this.#handle)
        this.#handle = this.#parts.open(this)
        asked = called(() => native.ask(this.#handle, 0))
      }
      if (asked !== true) this.#begin(asked)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#loading.then(this.#parts.forms[form])
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
