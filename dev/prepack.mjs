// Run by npm before it packs. A file without an addon would install without a word and fail at the first import.
import { readFileSync, readdirSync } from 'node:fs'

import { root } from './command.mjs'

const { optionalDependencies } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url)),
)
const addons = readdirSync(root).filter((file) => file.endsWith('.node'))

// `napi pre-publish` has written the platform packages into it.
if (optionalDependencies) {
  if (addons.length > 0)
    refuse(
      `A release has a package for each platform, and no addon of its own: remove ${addons.join(', ')}.`,
    )
} else if (addons.length === 0) {
  refuse('There is no addon to pack. Run `npm run build`, which needs Rust, and then this again.')
}

function refuse(words) {
  console.error(words)
  process.exit(1)
}
