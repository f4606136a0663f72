-- Takes up to `calls` calls of `tokens_each` tokens from the last minute's allowance.
-- KEYS: window hash, with a field a second and kind. ARGV: calls, tokens_each, calls_a_minute, tokens_a_minute
-- (0 for no limit). Returns {calls taken, milliseconds until the next may be free}.
-- A second counts until 61 more have passed: 60, and one in which a call that was taken may still be on its way.
local KEPT = 62
local clock = redis.call('TIME')
local second = tonumber(clock[1])
local calls, each = tonumber(ARGV[1]), tonumber(ARGV[2])
local call_limit, token_limit = tonumber(ARGV[3]), tonumber(ARGV[4])

local used_calls, used_tokens, seconds = 0, 0, {}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local at, amount = tonumber(string.sub(entries[i], 2)), tonumber(entries[i + 1])
  if at <= second - KEPT then
    redis.call('HDEL', KEYS[1], entries[i])
  else
    if string.sub(entries[i], 1, 1) == 'c' then used_calls = used_calls + amount
    else used_tokens = used_tokens + amount end
    seconds[#seconds + 1] = {at = at, calls = string.sub(entries[i], 1, 1) == 'c' and amount or 0,
      tokens = string.sub(entries[i], 1, 1) == 't' and amount or 0}
  end
end

local taken = calls
if call_limit > 0 then taken = math.min(taken, call_limit - used_calls) end
if token_limit > 0 and each > 0 then
  local fits = math.floor((token_limit - used_tokens) / each)
  -- A call larger than the whole allowance would wait for ever: it may go alone.
  if fits < 1 and used_tokens <= 0 then fits = 1 end
  taken = math.min(taken, fits)
end
if taken > 0 then
  redis.call('HINCRBY', KEYS[1], 'c' .. second, taken)
  if each > 0 then redis.call('HINCRBY', KEYS[1], 't' .. second, taken * each) end
  redis.call('EXPIRE', KEYS[1], 120)
  return {taken, 0}
end

-- The oldest seconds leave first; the wait is until enough of them have.
table.sort(seconds, function(a, b) return a.at < b.at end)
for _, past in ipairs(seconds) do
  used_calls, used_tokens = used_calls - past.calls, used_tokens - past.tokens
  local room = call_limit == 0 or used_calls < call_limit
  if room and (token_limit == 0 or used_tokens + each <= token_limit or used_tokens <= 0) then
    return {0, math.max(50, (past.at + KEPT) * 1000 - second * 1000 - math.floor(tonumber(clock[2]) / 1000))}
  end
end
return {0, 1000}
