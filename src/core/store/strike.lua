-- Takes instances off the list that say nothing any more.
-- KEYS: fleet, then one instance each.  ARGV: their ids.  Returns how many commands that took.
local commands = 0
for number, id in ipairs(ARGV) do
  commands = commands + 1
  if redis.call('EXISTS', KEYS[number + 1]) == 0 then
    redis.call('SREM', KEYS[1], id)
    commands = commands + 1
  end
end
return commands
