import * as addon from './index.js'

export * from './index.js'
export default addon
