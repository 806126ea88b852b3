// `npm run audit`: what is known elsewhere about the packages this project stands on. Needs the network, and may turn red
// without a change here, so it is no part of `npm run check`.
import { spawnSync } from 'node:child_process'

import { argumentsOf } from './arguments.mjs'
import { root, runCommand } from './command.mjs'

const usage = `Asks what is known elsewhere about the packages this project stands on: npm audit, and cargo deny (which is installed with
\`cargo install cargo-deny --locked\`). Needs the network.

  npm run audit

Status 1 if something was found, or could not be asked.`

argumentsOf('npm run audit', usage, {})
const failed = []

/** @param {string} command @param {string[]} words */
function audit(command, words) {
  const line = `${command} ${words.join(' ')}`
  console.log(`> ${line}`)
  if (!runCommand(command, words)) failed.push(`${line} found something, or could not ask`)
}

audit('npm', ['audit'])
if (spawnSync('cargo', ['deny', '--version'], { cwd: root }).status === 0) {
  for (const manifest of ['Cargo.toml', 'fuzz/Cargo.toml']) {
    const quiet = ['--allow', 'license-exception-not-encountered']
    audit('cargo', ['deny', '--locked', '--manifest-path', manifest, 'check', ...quiet])
  }
} else {
  failed.push(
    'cargo deny is not installed: run `cargo install cargo-deny --locked`, then this again',
  )
}

for (const what of failed) console.error(`failed: ${what}`)
process.exit(failed.length === 0 ? 0 : 1)
