-- Makes a generation of each key that has none.
-- KEYS: generations.  ARGV: wall-clock milliseconds, milliseconds for which a new one is kept.
-- Returns the generations that are there now, and at last how many commands that took.
local generations, commands = {}, #KEYS
for number, key in ipairs(KEYS) do
  local generation = redis.pcall('GET', key)
  if type(generation) ~= 'string' then
    generation = ARGV[1]
    redis.call('SET', key, generation, 'PX', ARGV[2])
    commands = commands + 1
  end
  generations[number] = generation
end
generations[#KEYS + 1] = tostring(commands)
return generations
