-- Writes a loaded value, but only if no invalidation came since its loader looked.
-- KEYS: generation, active, version, config.  ARGV: the generation the loader saw, content, version, config, TTL seconds.
-- Returns 1 if written, 0 if refused.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[5])
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[5])
redis.call('SET', KEYS[4], ARGV[4], 'EX', ARGV[5])
return 1
