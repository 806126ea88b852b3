// Lines that the JavaScript part logs. The addon's own go the same ways.

/**
 * @param {{ logLevel?: string, onLog?: Function }} log
 * @returns {(message: string) => void}
 */
exports.warner =
  ({ logLevel, onLog }) =>
  (text) => {
    if (logLevel === 'error' || logLevel === 'silent') return
    const message = `[Cache] ${text}`
    try {
      // What the user's function rejects with is its own affair, as what it throws.
      if (onLog) Promise.resolve(onLog({ level: 'warn', message })).catch(() => {})
      else console.warn(message)
    } catch {}
  }
