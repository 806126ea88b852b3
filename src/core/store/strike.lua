-- Takes instances off the list that say nothing any more.
-- KEYS: fleet, then one instance each.  ARGV: their ids.  Returns how many were taken off.
local struck = 0
for number, id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[number + 1]) == 0 then
    struck = struck + redis.call('SREM', KEYS[1], id)
  end
end
return struck
