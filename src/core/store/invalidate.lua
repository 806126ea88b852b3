-- Opens a new generation and drops what was stored under the old one.
-- KEYS: generation, active, version, config.  ARGV: wall-clock milliseconds.
-- Returns the new generation, larger than the old one. What is no number there counts as missing.
local raw = redis.pcall('GET', KEYS[1])
local current = type(raw) == 'string' and tonumber(raw) or 0
if not (current >= 0 and current < 9007199254740992) then
  current = 0
end
local generation = string.format('%.0f', math.max(math.floor(current) + 1, tonumber(ARGV[1])))
redis.call('SET', KEYS[1], generation)
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
return generation
