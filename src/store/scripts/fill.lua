-- Writes loaded values, each only if no dependency was invalidated since its loader looked. A generation that is missing is made of the
-- sequence: whoever saw it missing at this very sequence has missed nothing.
-- KEYS: sequence, and for each value: value, version, config, generations.
-- ARGV: for each value: how many generations, content, version, config, seconds until it expires, and for each generation: as the loader
-- saw it, how many seconds a new one is kept (0: for ever).
-- Returns how many commands that took, and 1 for each value that was written, 0 for each that was refused.
local answer, commands, key, argument = { '' }, 0, 2, 1
while key <= #KEYS do
  local count = tonumber(ARGV[argument])
  local looked = { KEYS[1] }
  for number = 1, count do
    looked[number + 1] = KEYS[key + 2 + number]
  end
  local found = redis.call('MGET', unpack(looked))
  commands = commands + 1
  local sequence = found[1]
  local fits = type(sequence) == 'string' and sequence ~= '0'
  for number = 1, count do
    local seen, kept = ARGV[argument + 3 + 2 * number], ARGV[argument + 4 + 2 * number]
    local generation = found[number + 1]
    if fits and type(generation) ~= 'string' then
      generation = sequence
      commands = commands + 1
      if kept == '0' then
        redis.call('SET', looked[number + 1], generation)
      else
        redis.call('SET', looked[number + 1], generation, 'EX', kept)
      end
    end
    fits = fits and generation == seen
  end
  if fits then
    for number = 0, 2 do
      redis.call('SET', KEYS[key + number], ARGV[argument + 1 + number], 'EX', ARGV[argument + 4])
    end
    commands = commands + 3
  end
  answer[#answer + 1] = fits and '1' or '0'
  key = key + 3 + count
  argument = argument + 5 + 2 * count
end
answer[1] = string.format('%.0f', commands)
return answer
