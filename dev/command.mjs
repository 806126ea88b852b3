// Runs a command in the project's folder, in front of the user's eyes.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * @param {string} command found on PATH
 * @param {string[]} words
 * @returns {boolean} whether it ended with status 0
 */
export function runCommand(command, words) {
  // By way of a shell on Windows, where npx and npm are scripts.
  const shell = process.platform === 'win32'
  return spawnSync(command, words, { cwd: root, stdio: 'inherit', shell }).status === 0
}
