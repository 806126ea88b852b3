-- Makes new generations, drops what was stored under the old ones, moves the sequence on, and writes the log.
-- KEYS: sequence, log, members, generations, keys to drop.
-- ARGV: seed, scope and notes for the log, milliseconds for which the last of the keys to drop is claimed (0: it is no claim), how many
-- generations, for each of them how many seconds it is kept (0: for ever).
-- Returns how many commands that took, the sequence before, the sequence, and the fields of the list of members where it was asked for.
local notes = ARGV[3]
local last_generation = 3 + tonumber(ARGV[5])
-- First, as it needs no memory: after it, Redis takes the rest though it is full.
for first = 4, #KEYS, 1000 do
  call('DEL', unpack(KEYS, first, math.min(first + 999, #KEYS)))
end
local sequence, previous = advance()
for number = 4, last_generation do
  local kept = ARGV[number + 2]
  if kept == '0' then
    call('SET', KEYS[number], sequence)
  else
    call('SET', KEYS[number], sequence, 'EX', kept)
  end
end
if ARGV[4] ~= '0' then
  call('SET', KEYS[#KEYS], '1', 'PX', ARGV[4])
end
local fields = {}
if notes == 'ack' then
  commands = commands + 1
  fields = redis.pcall('HGETALL', KEYS[3])
  if fields.err then
    call('DEL', KEYS[3])
    fields = {}
  end
  local settled = false
  for number = 1, #fields, 2 do
    settled = settled or fields[number] == '~'
  end
  if not settled then
    -- There may be members that this list does not know: all list themselves anew.
    notes = 'ack lost'
    call('HSET', KEYS[3], '~', sequence)
    fields[#fields + 1] = '~'
    fields[#fields + 1] = sequence
  end
end
record(previous, sequence, ARGV[2], notes)
local answer = { text(commands), previous, sequence, notes }
for _, field in ipairs(fields) do
  answer[#answer + 1] = field
end
return answer
