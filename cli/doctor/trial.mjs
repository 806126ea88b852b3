// Whether the token may run commands in scripts: on a key of its own, which is gone after it, whatever was refused.

import { randomBytes } from 'node:crypto'

/**
 * @param {import('./redis.mjs').Redis} redis
 * @param {string} prefix
 * @param {string[]} commands each in Lua, of `KEYS[1]`
 * @throws {import('./trouble.mjs').Trouble} the first refusal
 */
export async function tryInScript(redis, prefix, commands) {
  const tried = commands.map((command) => `function() return redis.call(${command}) end`)
  const script = `local refusal
for _, command in ipairs({ ${tried.join(', ')} }) do
  local done, said = pcall(command)
  if not done then refusal = refusal or said end
  redis.call('DEL', KEYS[1])
end
if refusal then error(refusal) end
return 1`
  const id = randomBytes(8).toString('hex')
  await redis.command('EVAL', script, 1, `${prefix}:doctor:${id}`)
}
