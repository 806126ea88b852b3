-- A list of members that was new is whole: whoever it had lost has no lease any more, if it was not lost again.
-- KEYS: members.  ARGV: what it says of itself as it was seen.  Returns how many commands that took.
if redis.pcall('HGET', KEYS[1], '~') ~= ARGV[1] then
  return { '1' }
end
redis.call('HSET', KEYS[1], '~', 'whole')
return { '2' }
