// Compiled and never run: the API with one class from CommonJS in TypeScript.
import grove = require('grove-shared-cache')

const prompt: Promise<string> = grove.fetchActiveSystemPrompt()
const cached: Promise<boolean> = grove.cache.del('key')
const lens = new grove.SharedCache().resource(grove.lensConfiguration<{ title: string }>())
const title: Promise<string | undefined> = lens.get('story').then((found) => found?.title)
export = { prompt, cached, title }
