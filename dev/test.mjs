// `npm test`: sets the machine up, then runs every test: Rust with and without the binding, and the addon as its users
// see it, over the real stack.
import { runCommand } from './command.mjs'
import { setUp } from './setup.mjs'

await setUp({ redis: 'required', browser: 'required' })

const suites = [
  ['cargo', ['test', '--locked', '--no-default-features', '--features', 'testing']],
  // The last one leaves its library to a test of the addon.
  ['cargo', ['test', '--locked']],
  ['npx', ['ava', ...process.argv.slice(2)]],
]
for (const [command, words] of suites) {
  console.log(`> ${command} ${words.join(' ')}`)
  if (!runCommand(command, words)) process.exit(1)
}
