-- Before the scripts that move the sequence. KEYS of each: sequence, log, members, …  ARGV of each: a seed, …
local commands = 0
local function call(...)
  commands = commands + 1
  return redis.call(...)
end
local function text(number)
  return string.format('%.0f', number)
end
-- The next sequence, and the one before, which is empty where there was none.
local function advance()
  commands = commands + 1
  local sequence = redis.pcall('INCR', KEYS[1])
  if type(sequence) == 'number' and sequence > 1 and sequence < 9007199254740992 then
    return text(sequence), text(sequence - 1)
  end
  call('SET', KEYS[1], ARGV[1])
  return ARGV[1], ''
end
-- The log keeps about the last thousand. What is no log is replaced by one.
local function record(previous, sequence, scope, notes)
  commands = commands + 1
  local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'previous', previous, 'sequence', sequence, 'scope', scope, 'notes', notes)
  if type(added) == 'table' and added.err then
    call('DEL', KEYS[2])
    call('XADD', KEYS[2], '*', 'previous', previous, 'sequence', sequence, 'scope', scope, 'notes', notes)
  end
end
