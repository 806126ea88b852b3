-- Begins the sequence where there is none.
-- KEYS: sequence.  ARGV: a seed.  Returns how many commands that took, and the sequence that is there now.
local found = redis.pcall('GET', KEYS[1])
local number = type(found) == 'string' and tonumber(found) or 0
if number >= 1 and number < 9007199254740992 and math.floor(number) == number then
  return { '1', found }
end
redis.call('SET', KEYS[1], ARGV[1])
return { '2', ARGV[1] }
