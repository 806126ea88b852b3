-- Writes loaded values, each only if no invalidation came since its loader looked at any of the generations it depends on.
-- KEYS, for each value: value, version, config, loader, generations.  ARGV, for each: how many generations, content, version, config, TTL seconds,
-- seconds for which its own generation is kept, seconds for which the others are, the generations the loader saw.
-- Gives up the claim to load each of them.
-- Returns 1 for each that was written, 0 for each that was refused, and at last how many commands that took.
local outcomes, generations, kept = {}, {}, {}
local commands, key, argument = 0, 1, 1
while key <= #KEYS do
  local count = tonumber(ARGV[argument])
  local fits = true
  for number = 1, count do
    local name = KEYS[key + 3 + number]
    if generations[name] == nil then
      local generation = redis.pcall('GET', name)
      generations[name] = type(generation) == 'string' and generation or ''
      commands = commands + 1
    end
    fits = fits and generations[name] == ARGV[argument + 6 + number]
  end
  if fits then
    for number = 0, 2 do
      redis.call('SET', KEYS[key + number], ARGV[argument + 1 + number], 'EX', ARGV[argument + 4])
    end
    commands = commands + 3
    for number = 1, count do
      local name = KEYS[key + 3 + number]
      if not kept[name] then
        redis.call('EXPIRE', name, number == 1 and ARGV[argument + 5] or ARGV[argument + 6])
        kept[name] = true
        commands = commands + 1
      end
    end
  end
  redis.call('DEL', KEYS[key + 3])
  commands = commands + 1
  outcomes[#outcomes + 1] = fits and 1 or 0
  key = key + 4 + count
  argument = argument + 7 + count
end
outcomes[#outcomes + 1] = commands
return outcomes
