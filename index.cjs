// The package for CommonJS: the generated loader, with an error that says what to do. The one of the loader blames a bug of npm,
// whatever happened.
try {
  module.exports = require('./index.js')
} catch (error) {
  throw require('./load-failure.cjs').loadFailure(error)
}
