-- Corrects what was taken. KEYS: window hash. ARGV: calls, tokens (both may be negative).
-- More is counted at this second. Less is taken off the oldest seconds, so that what is left counts as later than
-- it was: taken off this one, it would be free twice, now and when the second that it was taken in leaves.
local second = redis.call('TIME')[1]

local function take_off(kind, amount)
  local seconds, entries = {}, redis.call('HGETALL', KEYS[1])
  for i = 1, #entries, 2 do
    if string.sub(entries[i], 1, 1) == kind then
      seconds[#seconds + 1] = {name = entries[i], at = tonumber(string.sub(entries[i], 2)),
        amount = tonumber(entries[i + 1])}
    end
  end
  table.sort(seconds, function(a, b) return a.at < b.at end)
  for _, past in ipairs(seconds) do
    local less = math.min(amount, past.amount)
    if less > 0 then
      redis.call('HINCRBY', KEYS[1], past.name, -less)
      amount = amount - less
    end
    if amount <= 0 then break end
  end
end

for index, kind in ipairs({'c', 't'}) do
  local change = tonumber(ARGV[index])
  if change > 0 then redis.call('HINCRBY', KEYS[1], kind .. second, change)
  elseif change < 0 then take_off(kind, -change) end
end
redis.call('EXPIRE', KEYS[1], 120)
return 1
