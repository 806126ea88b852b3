// Lines that the JavaScript part logs. They go where the addon's go.
const { logWriter } = require('./log.cjs')

/**
 * @param {{ logLevel?: string, onLog?: Function }} log
 * @returns {(text: string) => void}
 */
exports.warner = ({ logLevel, onLog }) => {
  if (logLevel === 'error' || logLevel === 'silent') return () => {}
  const write = logWriter(onLog)
  return (text) => void write('warn', `[Cache] ${text}`)
}
