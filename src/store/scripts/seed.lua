-- Begins the sequence where there is none, or something that is none.
-- KEYS: sequence.  ARGV: a seed (0: nothing is begun).  Returns how many commands that took, and the sequence that is there now.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'string' and string.match(found, '^[1-9]%d*$') and tonumber(found) < 9007199254740992 then
  return { '1', found }
end
if ARGV[1] == '0' then
  return { '1', ARGV[1] }
end
redis.call('SET', KEYS[1], ARGV[1])
return { '2', ARGV[1] }
