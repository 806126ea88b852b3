// Everything that a cache says besides its answers: log lines, errors, counters, and what it looks like to a debugger.

import { inspect } from 'node:util'

const WHOLE = { depth: 10, showHidden: true, maxArrayLength: null, maxStringLength: null }

export class Said {
  /** As they were said. */
  texts = []

  /** An object, with all that can be seen of it. */
  thing(object) {
    this.texts.push(inspect(object, WHOLE))
  }

  /** What was said since it was last taken; what was said twice, once. */
  take() {
    const texts = [...new Set(this.texts)]
    this.texts = []
    return texts
  }
}
