// Lua scripts on their way to stock Redis, which knows less than the real service: it refuses the shebang flag
// `allow-key-locking` ("Unexpected flag in script shebang"). The flag is taken off; clients keep addressing the script
// by the digest of what they sent. That all keys be declared under the flag is not checked here.

import { createHash } from 'node:crypto'

import { nameOf } from './commands.mjs'

const FLAG = /^(#!lua[^\n]*?)\s*flags=([^\s]*)/
const SCRIPT_COMMANDS = new Set(['eval', 'evalsha', 'eval_ro', 'evalsha_ro'])

/** Whether a command runs a script. */
export const runsScript = (command) => SCRIPT_COMMANDS.has(nameOf(command))

export class Scripts {
  // Digest of the script as sent → digest of the script as run, where the two differ.
  #digests = new Map()

  /** The command as stock Redis takes it. @param {(string | Buffer)[]} command */
  translate(command) {
    const name = nameOf(command)
    const subcommand = String(command[1] ?? '').toLowerCase()
    if (name === 'eval' || name === 'eval_ro') return this.#withScript(command, 1)
    if (name === 'evalsha' || name === 'evalsha_ro')
      return command.with(1, this.#digestOf(command[1]))
    if (name !== 'script') return command
    if (subcommand === 'load') return this.#withScript(command, 2)
    if (subcommand === 'exists')
      return command.map((word, index) => (index < 2 ? word : this.#digestOf(word)))
    return command
  }

  /** The reply as the client expects it: SCRIPT LOAD answers the digest of what was sent. */
  translateReply(command, reply) {
    const loaded = nameOf(command) === 'script' && String(command[1]).toLowerCase() === 'load'
    return loaded && Buffer.isBuffer(reply) ? Buffer.from(sha1(command[2])) : reply
  }

  #withScript(command, index) {
    if (command[index] === undefined) return command
    const sent = String(command[index])
    const run = withoutKeyLocking(sent)
    if (run === sent) return command
    this.#digests.set(sha1(sent), sha1(run))
    return command.with(index, run)
  }

  #digestOf(digest) {
    return this.#digests.get(String(digest).toLowerCase()) ?? digest
  }
}

// Without other flags the whole shebang goes: a bare `#!lua` would still change how Redis treats the script. The line
// itself stays, so that errors name the right one.
function withoutKeyLocking(script) {
  const match = FLAG.exec(script)
  if (!match) return script
  const flags = match[2].split(',').filter((flag) => flag !== 'allow-key-locking')
  if (flags.length === match[2].split(',').length) return script
  const rest = script.slice(match[0].length)
  return flags.length > 0 ? `${match[1]} flags=${flags.join(',')}${rest}` : rest
}

function sha1(text) {
  return createHash('sha1').update(text).digest('hex')
}
