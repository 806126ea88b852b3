-- Opens new generations, and drops what was stored under the old ones.
-- KEYS: the collection's generation, those of the marks, entries first, three keys to drop for each entry among these.  ARGV: wall-clock milliseconds, how
-- many marks, seconds for which the generations of those that are no entries are kept, and of those that are.
-- Returns the collection's new generation, the one before or nothing, and how many commands that took.
local function after(raw)
  local current = type(raw) == 'string' and tonumber(raw) or 0
  if not (current >= 0 and current < 9007199254740992) then
    current = 0
  end
  return string.format('%.0f', math.max(math.floor(current) + 1, tonumber(ARGV[1])))
end
local marks = tonumber(ARGV[2])
local entries = (#KEYS - marks - 1) / 3
local commands = 2 + 2 * marks
for number = 2, marks + 1 do
  local kept = number - 1 <= entries and ARGV[4] or ARGV[3]
  redis.call('SET', KEYS[number], after(redis.pcall('GET', KEYS[number])), 'EX', kept)
end
for number = marks + 2, #KEYS, 3 do
  redis.call('DEL', KEYS[number], KEYS[number + 1], KEYS[number + 2])
  commands = commands + 1
end
local previous = redis.pcall('GET', KEYS[1])
local generation = after(previous)
redis.call('SET', KEYS[1], generation)
return { generation, type(previous) == 'string' and previous or '', tostring(commands) }
