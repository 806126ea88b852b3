// The user's `load` as the addon calls it: it gets a signal and has a deadline, and its outcome is a text, whatever it does.
const { encoded, failed } = require('./encoding.cjs')

/**
 * @param {string} name of the resource
 * @param {() => { load: Function }} held throws if it is not there any more
 * @returns {(id: string, timeoutMs: number) => Promise<string>} never rejects
 */
exports.loaderOf = (name, held) => (id, timeoutMs) =>
  new Promise((resolve) => {
    const controller = new AbortController()
    const { signal } = controller
    const timer = setTimeout(() => {
      const reason = new DOMException(
        `the loader of resource ${name} took longer than ${timeoutMs} ms`,
        'TimeoutError',
      )
      // First, so that what the loader makes of the signal comes too late.
      resolve(failed(reason))
      controller.abort(reason)
    }, timeoutMs)
    timer.unref()
    const settle = (outcome) => {
      clearTimeout(timer)
      resolve(outcome)
    }
    // As an executor: a loader that throws rejects, and a thenable is followed.
    new Promise((begin) => {
      const { load } = held()
      begin(load(id, { signal }))
    }).then(
      (value) => signal.aborted || settle(encoded(value)),
      (error) => settle(failed(error)),
    )
  })
