// `npm run check`: everything about the code that can be told without running it, the same here and in CI.
import { runCommand } from './command.mjs'
import { setUp } from './setup.mjs'
import { wrongDependencies } from './check/dependencies.mjs'
import { unfitRelease } from './check/release.mjs'
import { untrueWords } from './check/words.mjs'

await setUp()

const failed = []
const CLIPPY = ['clippy', '--locked', '--all-targets']
for (const [command, ...words] of [
  ['npx', 'prettier', '--check', '.'],
  ['npx', 'oxlint'],
  ['node', 'dev/option-types.mjs', '--check'],
  ['cargo', 'fmt', '--check'],
  ['cargo', 'fmt', '--check', '--manifest-path', 'fuzz/Cargo.toml'],
  ['cargo', ...CLIPPY, '--', '-D', 'warnings'],
  ['cargo', ...CLIPPY, '--no-default-features', '--features', 'testing', '--', '-D', 'warnings'],
]) {
  const line = `${command} ${words.join(' ')}`
  console.log(`> ${line}`)
  if (!runCommand(command, words)) failed.push(line)
}

console.log('> words')
failed.push(...untrueWords())
console.log('> dependencies')
failed.push(...wrongDependencies())
console.log('> release')
failed.push(...unfitRelease())
for (const what of failed) console.error(`failed: ${what}`)
console.log(failed.length === 0 ? 'all checks passed' : `${failed.length} checks failed`)
process.exit(failed.length === 0 ? 0 : 1)
