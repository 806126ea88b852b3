// What the project needs on a machine, installed if it is missing: npm packages, the built addon, and for the tests
// redis-server and a browser.
// Uses nothing but Node itself, because it runs first.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { root, runCommand } from './command.mjs'

/** Everything the addon is made of. */
const SOURCES = ['src', 'Cargo.toml', 'Cargo.lock', 'build.rs', 'package.json']
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']

/**
 * Brings the machine to where the project runs; says what it does, and is quiet where there is nothing to do.
 *
 * @param {{ redis?: 'optional' | 'required', browser?: 'optional' | 'required' }} [needs] `required`: redis-server, or a
 *   browser, is installed with apt where that can be done, and its absence is an error otherwise.
 */
export async function setUp({ redis = 'optional', browser = 'optional' } = {}) {
  requireNode()
  installPackages()
  buildAddon()
  if (redis === 'required' && !onPath('redis-server')) install('redis-server')
  // A page without a font has no width.
  if (browser === 'required' && !browserPath()) install('chromium', 'fonts-liberation')
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node 20.19 or later is needed, this is ${process.versions.node}.`)
  }
}

function installPackages() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (existsSync(installed) && modified(installed) >= modified(join(root, 'package-lock.json')))
    return
  step('Installing npm packages (half a minute)')
  // Not `npm ci`: it wants the binaries of every other platform in the lock file, and not all registries have them.
  run('npm', ['install', '--no-audit', '--no-fund'])
}

function buildAddon() {
  const addon = builtAddon()
  const newest = Math.max(...SOURCES.flatMap((path) => files(join(root, path))).map(modified))
  if (addon && modified(addon) >= newest) return
  if (spawnSync('cargo', ['--version']).error) {
    fail('Rust is needed to build the addon: install it from https://rustup.rs and run this again.')
  }
  step('Building the addon (two minutes the first time)')
  run(process.execPath, [join(root, 'dev', 'build.mjs')])
}

/** The path of the addon for this machine; undefined where none is built. */
export function builtAddon() {
  const name = readdirSync(root).find((each) => /^grove-shared-cache\..+\.node$/.test(each))
  return name && join(root, name)
}

/** The browser of this machine, for tests without a screen; undefined where there is none. */
export function browserPath() {
  return BROWSERS.map(onPath).find(Boolean)
}

/** @param {string} program @param {...string} packages that it needs beside its own */
function install(program, ...packages) {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (!onPath('apt-get') || (sudo.length > 0 && spawnSync('sudo', ['-n', 'true']).status !== 0)) {
    fail(
      `${program} is needed for the tests. Install it with your package manager, for example ` +
        `\`sudo apt-get install ${program}\`, \`brew install ${program.replace('-server', '')}\` or ` +
        `\`apk add ${program.replace('-server', '')}\`, and run this again.`,
    )
  }
  step(`Installing ${program}`)
  const apt = (...words) => {
    const [command, ...rest] = [...sudo, 'apt-get', '-qq', ...words]
    run(command, rest)
  }
  apt('update')
  apt('install', '-y', '--no-install-recommends', program, ...packages)
}

/** Where a program is; undefined if PATH does not have it. */
function onPath(program) {
  const folders = (process.env.PATH ?? '').split(':')
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
}

/** @returns {string[]} the file itself, or all files below the folder */
function files(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function modified(path) {
  return statSync(path).mtimeMs
}

function step(words) {
  console.log(`> ${words}`)
}

function run(command, words) {
  if (!runCommand(command, words))
    fail(`${command} ${words.join(' ')} failed; what it said is above.`)
}

function fail(words) {
  console.error(words)
  process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await setUp({ redis: 'required', browser: 'required' })
