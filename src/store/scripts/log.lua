-- The last records of the log, newest first. By a script, because only the primary runs one: a replica may lag.
-- KEYS: log.  ARGV: how many.  Returns how many commands that took, and four texts for each record.
local records = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])
local answer = { '1' }
if records.err then
  return answer
end
for _, record in ipairs(records) do
  local texts = {}
  for number = 1, #record[2], 2 do
    texts[record[2][number]] = record[2][number + 1]
  end
  for _, name in ipairs({ 'previous', 'sequence', 'scope', 'notes' }) do
    answer[#answer + 1] = texts[name] or ''
  end
end
return answer
