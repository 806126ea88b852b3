// What a document tells its reader to type: whether a shell can read it, and whether what it names is there.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The environment variables of the options. */
const VARIABLES = [
  ...readFileSync(join(root, 'index.d.ts'), 'utf8').matchAll(/Environment:\s+(?:\* )?`(\w+)`/g),
].map(([, name]) => name)

/** What is not of this project: it is there or not, and only its words are read. */
const FOREIGN = ['cargo', 'cd', 'cmp', 'curl', 'docker', 'echo', 'openssl']

/**
 * @param {string} text
 * @param {string} document its path, for what lies beside it
 * @returns {string[]} what is wrong, one line each
 */
export function wrongShell(text, document) {
  try {
    execFileSync('bash', ['-n'], { input: text, stdio: 'pipe' })
  } catch ({ stderr }) {
    return [`the shell cannot read it: ${stderr}`]
  }
  const folders = [root, join(root, dirname(document))]
  return commandsOf(text).flatMap((command) => wrongCommand(command, folders))
}

/** The words of each command. */
function commandsOf(text) {
  return (
    text
      .replaceAll('\\\n', ' ')
      // What is quoted is one word, whatever it holds.
      .replaceAll(/'[^']*'|"[^"]*"/g, 'quoted')
      .replaceAll(/(^|\s)#.*$/gm, '')
      .split(/\n|&&|\|\|?|;/)
      .map((command) => command.trim().split(/\s+/))
      .filter(([first]) => first)
  )
}

function wrongCommand(words, folders) {
  const start = words.findIndex((word) => !/^[A-Z_]+=/.test(word))
  // Lines of an environment file.
  if (start === -1) return unknownVariables(words)
  const [command, ...rest] = words.slice(start)
  return COMMANDS[command]?.(rest, folders) ?? foreign(command)
}

const unknownVariables = (settings) =>
  settings
    .map((setting) => setting.split('=')[0])
    .filter((name) => !VARIABLES.includes(name))
    .map((name) => `no option has the variable ${name}`)

const foreign = (command) =>
  FOREIGN.includes(command)
    ? []
    : [`nothing is known of the command ${command}: see support/shell-snippets.mjs`]

const COMMANDS = {
  npm([command, ...words]) {
    if (command === 'run') return scripts(words[0])
    if (['start', 'test'].includes(command)) return scripts(command)
    if (command === 'pack') return []
    if (!['install', 'ci'].includes(command)) return [`npm ${command} is not known here`]
    return words
      .filter((word) => !word.startsWith('-') && !isInstallable(word))
      .map((word) => `${word} is neither this package nor one that is tested with it`)
  },
  npx([name]) {
    const there = manifest.bin?.[name] ?? existsSync(join(root, 'node_modules/.bin', name))
    return there ? [] : [`npx finds no ${name}`]
  },
  node([file], folders) {
    if (file.startsWith('-')) return []
    return folders.some((folder) => existsSync(join(folder, file))) ? [] : [`there is no ${file}`]
  },
  gcloud(words) {
    const isSet = (_, index) => /^--(update|set)-(env-vars|secrets)$/.test(words[index - 1])
    return unknownVariables(words.filter(isSet).flatMap((word) => word.split(',')))
  },
}

const scripts = (name) => (manifest.scripts[name] ? [] : [`there is no npm script ${name}`])

/** The file that `npm pack` makes, this package by its name, or one that the tests use, in their major version. */
function isInstallable(word) {
  const { name, version, devDependencies } = manifest
  if (word === name || word === `./${name}-${version}.tgz`) return true
  const [, other, major] = word.match(/^(@?[^@]+)(?:@(\d+))?$/) ?? []
  const range = devDependencies[other]
  return Boolean(range) && (!major || range.match(/\d+/)[0] === major)
}
