-- Opens a new generation, drops what was stored under the old one, and claims to load the next value.
-- KEYS: generation, active, version, config, loader.  ARGV: wall-clock milliseconds, milliseconds of the claim.
-- Returns the new generation, larger than the old one. What is no number there counts as missing.
local raw = redis.pcall('GET', KEYS[1])
local current = type(raw) == 'string' and tonumber(raw) or 0
if not (current >= 0 and current < 9007199254740992) then
  current = 0
end
local generation = string.format('%.0f', math.max(math.floor(current) + 1, tonumber(ARGV[1])))
redis.call('SET', KEYS[1], generation)
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('SET', KEYS[5], '1', 'PX', ARGV[2])
return generation
