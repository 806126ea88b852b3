// Lua for the embedded store: ioredis-mock's `redis` object, completed to what the cache's scripts use.

import { createHash } from 'node:crypto'

// ioredis-mock hands numbers on as numbers, so that SET of a number would store one; Redis formats them with %.17g.
// Its pcall answers a JavaScript array for an error; Redis a table with `err`. On one line, so that line numbers stay right.
const PROLOGUE = `
local inner_calls = 0
local function words(...)
  local list = table.pack(...)
  for i = 1, list.n do if type(list[i]) == 'number' then list[i] = string.format('%.17g', list[i]) end end
  return table.unpack(list, 1, list.n)
end
local bare_call, bare_pcall = redis.call, redis.pcall
redis.call = function(...) inner_calls = inner_calls + 1 return bare_call(words(...)) end
redis.pcall = function(...)
  inner_calls = inner_calls + 1
  local reply = bare_pcall(words(...))
  if type(reply) == 'userdata' and reply[0] == 'error' then return { err = (reply[1]:gsub('^%a*Error: ', '')) } end
  return reply
end
redis.error_reply = function(text) return { err = text } end
redis.status_reply = function(text) return { ok = text } end
redis.log = function() end`
  .replaceAll('\n', ' ')
  .trim()

/** Stands before the items of a script's answer that is a list: ioredis-mock takes no list in a list. */
const LIST = 'list of the answer'

// Redis converts a script's answer: numbers are cut to integers, true is 1, false is null, { ok } and { err } are
// replies of their own.
const EPILOGUE = `
local function reply_of(value)
  if type(value) == 'table' then
    if value.err then error(value.err, 0) end
    if value.ok then return value.ok end
    local list = {}
    for i, item in ipairs(value) do list[i] = reply_of(item) end
    return list
  end
  return value
end
local answer = reply_of(script())
if answer == nil then answer = false end
if type(answer) == 'table' then return { inner_calls, '${LIST}', table.unpack(answer) } end
return { inner_calls, answer }`

/** The script with the prologue in front; it answers `[number of inner calls, the script's own answer]`, the items of a list one by one. */
export function wrapScript(script) {
  return `${PROLOGUE} local function script() ${script}\nend\n${EPILOGUE}`
}

export function innerCallsOf(answer) {
  return answer[0]
}

/** The script's own answer. */
export function answerOf([, first, ...rest]) {
  return first === LIST ? rest : first
}

/** A reply of ioredis-mock as Redis would give it in ioredis' Buffer API. */
export function replyOf(value) {
  if (typeof value === 'string') return Buffer.from(value, 'utf8')
  if (value === null || value === undefined || value === false) return null
  if (value === true) return 1
  if (typeof value === 'number') return Math.trunc(value)
  if (Buffer.isBuffer(value)) return value
  if (value instanceof Uint8Array) return Buffer.from(value)
  return Array.isArray(value) ? value.map(replyOf) : Buffer.from(String(value), 'utf8')
}

export function scriptSha(script) {
  return createHash('sha1').update(script).digest('hex')
}
