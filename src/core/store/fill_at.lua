-- Writes a loaded value, but only if no invalidation came since its loader looked at any of the generations it depends on.
-- KEYS: value, version, config, generations.  ARGV: content, version, config, TTL seconds, seconds for which the generations are kept, the
-- generations the loader saw.  Returns 1 if written, 0 if refused.
local unpack = unpack or table.unpack
local generations = redis.call('MGET', unpack(KEYS, 4))
for number = 1, #KEYS - 3 do
  if generations[number] ~= ARGV[5 + number] then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4])
for number = 4, #KEYS do
  redis.call('EXPIRE', KEYS[number], ARGV[5])
end
return 1
