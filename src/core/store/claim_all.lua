-- Claims to load values.  KEYS: their loaders.  ARGV: milliseconds of the claims.  Returns 1 for each that was free, 0 for each that was not.
local outcomes = {}
for number, key in ipairs(KEYS) do
  outcomes[number] = redis.call('SET', key, '1', 'PX', ARGV[1], 'NX') and 1 or 0
end
return outcomes
