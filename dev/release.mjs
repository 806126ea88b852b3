// Lays out what a release publishes: a package for each platform below `npm/`, and the package itself, which then names them
// as its optional dependencies. It publishes nothing; `.github/workflows/release.yml` does.
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { refuse } from './arguments.mjs'
import { root, runCommand } from './command.mjs'

const [artifacts, ...more] = process.argv.slice(2)
if (!artifacts || more.length > 0) {
  refuse('node dev/release.mjs FOLDER: the folder has an addon for each target of package.json.')
}

// A build writes it beside each addon, the same for all platforms.
const loaders = readdirSync(artifacts)
  .map((folder) => join(artifacts, folder, 'native.js'))
  .filter((path) => existsSync(path))
if (loaders.length > 0) copyFileSync(loaders[0], join(root, 'native.js'))
if (!existsSync(join(root, 'native.js'))) refuse(`${artifacts} has no native.js`)

napi('create-npm-dirs')
// Refuses a folder in which one of them is missing.
napi('artifacts', '--output-dir', artifacts)
napi('pre-publish', '--no-gh-release', '--skip-optional-publish')
// `napi artifacts` leaves them here too, and each would come to every platform.
for (const file of readdirSync(root)) if (file.endsWith('.node')) rmSync(join(root, file))

function napi(...words) {
  if (!runCommand('npx', ['napi', ...words])) process.exit(1)
}
