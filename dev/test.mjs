// `npm test`: sets the machine up, then runs every test: Rust with and without the binding, and the addon as its users
// see it, over the real stack.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setUp } from './setup.mjs'

await setUp({ redis: 'required' })

const root = fileURLToPath(new URL('..', import.meta.url))
const suites = [
  ['cargo', ['test', '--locked']],
  ['cargo', ['test', '--locked', '--no-default-features']],
  ['npx', ['ava', ...process.argv.slice(2)]],
]
for (const [command, words] of suites) {
  console.log(`> ${command} ${words.join(' ')}`)
  const { status } = spawnSync(command, words, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
