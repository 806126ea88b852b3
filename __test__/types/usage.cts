// Compiled and never run: the same from CommonJS in TypeScript.
import grove = require('grove-shared-cache')

const prompt: Promise<string> = grove.fetchActiveSystemPrompt()
const cached: Promise<boolean> = grove.cache.del('key')
export = { prompt, cached }
