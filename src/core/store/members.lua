-- Who is listed, and whether the list may not be whole: both at one moment.
-- KEYS: fleet, settling.  Returns 1 or 0, then the ids.
local members = redis.call('SMEMBERS', KEYS[1])
table.insert(members, 1, tostring(redis.call('EXISTS', KEYS[2])))
return members
