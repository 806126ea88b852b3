-- Takes a silent member off the list, in two steps: the first notes it in the log and marks the member, the second removes it.
-- Between them its last lease runs out. Nothing happens where the member has said something since.
-- KEYS: sequence, log, members.  ARGV: seed, id, its field as it was seen.
-- Returns how many commands that took, and the field as it is marked now, or nothing.
commands = commands + 1
if redis.pcall('HGET', KEYS[3], ARGV[2]) ~= ARGV[3] then
  return { text(commands), '' }
end
if string.sub(ARGV[3], 1, 1) == '-' then
  call('HDEL', KEYS[3], ARGV[2])
  return { text(commands), '' }
end
local sequence, previous = advance()
local marked = '-' .. sequence .. ' ' .. ARGV[3]
call('HSET', KEYS[3], ARGV[2], marked)
record(previous, sequence, '', 'expelled=' .. ARGV[2])
return { text(commands), marked }
