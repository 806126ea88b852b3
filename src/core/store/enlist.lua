-- Lists an instance, and keeps what it says of itself.
-- KEYS: fleet, instance, settling.  ARGV: id, standing, seconds that the listing lasts, milliseconds that leases of the unlisted may last.
-- Returns whether there was a list. Where there is none, there may be instances that it has lost: they settle meanwhile.
local listed = redis.call('EXISTS', KEYS[1])
if listed == 0 then
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[4])
end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return listed
