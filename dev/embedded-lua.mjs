// Lua for the embedded store: ioredis-mock's `redis` object, completed to what the cache's scripts use.

import { createHash } from 'node:crypto'

/** What kind of value a command takes, as ioredis-mock names kinds: to it a stream is a list. */
export const KINDS = {
  ...Object.fromEntries(['get', 'incr', 'incrby'].map((name) => [name, 'string'])),
  ...Object.fromEntries(
    ['hget', 'hset', 'hdel', 'hgetall', 'hmget', 'hlen', 'hexists'].map((name) => [name, 'hash']),
  ),
  ...Object.fromEntries(['xadd', 'xlen', 'xrange', 'xrevrange'].map((name) => [name, 'list'])),
}
export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'
export const NO_INTEGER = 'ERR value is not an integer or out of range'

const KINDS_IN_LUA = Object.entries(KINDS)
  .map(([name, kind]) => `${name} = '${kind}'`)
  .join(', ')

// ioredis-mock hands numbers on as numbers, so that SET of a number would store one; Redis formats them with %.17g.
// Its pcall answers a JavaScript array for an error; Redis a table with `err`. Its lists are JavaScript arrays, at the top from 1 on,
// inside from 0; a text that is empty is nothing to it. It checks no kinds and no numbers, and keeps a hash without fields.
// On one line, so that line numbers stay right.
const PROLOGUE = `
local inner_calls = 0
local kinds = { ${KINDS_IN_LUA} }
local function words(...)
  local list = table.pack(...)
  for i = 1, list.n do if type(list[i]) == 'number' then list[i] = string.format('%.17g', list[i]) end end
  return table.unpack(list, 1, list.n)
end
local bare_call, bare_pcall = redis.call, redis.pcall
local function plain(value, first)
  if value == nil then return false end
  if type(value) ~= 'userdata' then return value end
  if tostring(value) == 'null' or value.length == nil then return false end
  local list, length = {}, value.length - first
  for i = 1, length do list[i] = plain(value[i - 1 + first], 0) end
  return list
end
local function kind_of(key) return bare_call('TYPE', key) or 'string' end
local function refusal(name, key)
  if not kinds[name] then return nil end
  local kind = kind_of(key)
  if kind ~= 'none' and kind ~= kinds[name] then return '${WRONG_TYPE}' end
  if (name == 'incr' or name == 'incrby') and kind == 'string' then
    local text = bare_call('GET', key) or ''
    if text ~= '0' and not string.match(text, '^-?[1-9]%d*$') or #text > 19 then return '${NO_INTEGER}' end
  end
end
local function run(name, key, ...)
  inner_calls = inner_calls + 1
  local command = string.lower(name)
  local refused = refusal(command, key)
  if refused then return { err = refused } end
  local reply = bare_pcall(words(name, key, ...))
  if type(reply) == 'userdata' and reply[0] == 'error' then return { err = (reply[1]:gsub('^%a*Error: ', '')) } end
  if command == 'get' and reply == nil and bare_call('EXISTS', key) == 1 then return '' end
  if command == 'hdel' and bare_call('HLEN', key) == 0 then bare_call('DEL', key) end
  reply = plain(reply, 1)
  if command == 'mget' then
    for i, wanted in ipairs({ key, ... }) do if kind_of(wanted) ~= 'string' then reply[i] = false end end
  end
  return reply
end
redis.pcall = run
redis.call = function(...)
  local reply = run(...)
  if type(reply) == 'table' and reply.err then error(reply.err, 0) end
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
