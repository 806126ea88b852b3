// Where log lines go: to the user's `onLog`, or to the console.

/**
 * @param {((line: { level: string, message: string }) => unknown) | undefined} onLog what it throws, or rejects with, is its own affair
 * @returns {(level: string, message: string) => unknown} never throws
 */
exports.logWriter = (onLog) =>
  onLog
    ? async (level, message) => {
        try {
          await onLog({ level, message })
        } catch {}
      }
    : (level, message) => {
        // Looked up at each line, so that one that was replaced is used. A line that cannot be written (a closed pipe) must not
        // take the server down.
        try {
          console[level](message)
        } catch {}
      }
