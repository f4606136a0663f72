-- One renewal of a member's allotment of concurrent calls to a provider.
-- KEYS: state hash, members hash.
-- ARGV: member, group, want, in_flight, most_of_group, most_of_provider, ok, limited, troubled, saturated, ttl_s,
--       start, cut_to, calm_s, grow_pause_s
-- Returns {granted, limit in force}.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local member, group = ARGV[1], ARGV[2]
local want, in_flight = tonumber(ARGV[3]), tonumber(ARGV[4])
local most_of_group, most = tonumber(ARGV[5]), tonumber(ARGV[6])
local ok, limited, troubled, saturated = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10] == '1'
local ttl, start, cut_to = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local calm_s, grow_pause_s = tonumber(ARGV[14]), tonumber(ARGV[15])

-- How many calls at once: additive growth, multiplicative cut, doubling until the first cut.
local state = redis.call('HMGET', KEYS[1], 'limit', 'ceiling', 'last_cut', 'grow_after')
local limit = tonumber(state[1] or start)
local ceiling = tonumber(state[2] or most)
local last_cut, grow_after = tonumber(state[3] or 0), tonumber(state[4] or 0)
if limited > 0 then
  if now - last_cut >= calm_s then
    limit = math.max(1, limit * cut_to)
    ceiling, last_cut = limit, now
  end
elseif troubled > 0 then
  grow_after = now + grow_pause_s
elseif ok > 0 and saturated and now >= grow_after and now - last_cut >= calm_s then
  if limit < ceiling then limit = math.min(ceiling, limit + ok) else limit = limit + ok / limit end
end
limit = math.max(1, math.min(limit, most))
redis.call('HSET', KEYS[1], 'limit', tostring(limit), 'ceiling', tostring(ceiling),
  'last_cut', tostring(last_cut), 'grow_after', tostring(grow_after))
redis.call('EXPIRE', KEYS[1], 600)

-- Who else takes part. A member holds what it was granted, or what it still has under way if that is more.
local groups, held_by_others = {}, 0
local entries = redis.call('HGETALL', KEYS[2])
for i = 1, #entries, 2 do
  local other = cjson.decode(entries[i + 1])
  if other.expires < now then
    redis.call('HDEL', KEYS[2], entries[i])
  elseif entries[i] ~= member then
    held_by_others = held_by_others + math.max(other.granted, other.in_flight)
    local its = groups[other.group] or {want = 0, most = other.most, members = {}}
    its.want = its.want + other.want
    its.members[#its.members + 1] = {name = entries[i], want = other.want}
    groups[other.group] = its
  end
end
local mine = groups[group] or {want = 0, most = most_of_group, members = {}}
mine.want = mine.want + want
mine.members[#mine.members + 1] = {name = member, want = want}
groups[group] = mine

-- Max-min fair shares: who wants less than its share leaves the rest to the others. Who gets the odd ones
-- out changes every two seconds, so that with fewer calls than takers each has its turn.
local function shares(takers, total)
  local turn = math.floor(now / 2)
  for _, taker in ipairs(takers) do
    taker.place = redis.sha1hex(taker.name .. turn)
    taker.share = 0
  end
  table.sort(takers, function(a, b) return a.place < b.place end)
  local left = total
  while left > 0 do
    local hungry = {}
    for _, taker in ipairs(takers) do
      if taker.share < taker.want then hungry[#hungry + 1] = taker end
    end
    if #hungry == 0 then break end
    local each = math.floor(left / #hungry)
    for _, taker in ipairs(hungry) do
      local more = math.min(math.max(each, 1), taker.want - taker.share, left)
      taker.share = taker.share + more
      left = left - more
      if left == 0 then break end
    end
  end
end

local total = math.floor(limit)
local takers = {}
for name, its in pairs(groups) do
  takers[#takers + 1] = {name = name, want = math.min(its.want, its.most), members = its.members}
end
shares(takers, total)
local granted = 0
for _, taker in ipairs(takers) do
  if taker.name == group then
    shares(taker.members, taker.share)
    for _, one in ipairs(taker.members) do
      if one.name == member then granted = one.share end
    end
  end
end
granted = math.max(0, math.min(granted, total - held_by_others))
if want == 0 and in_flight == 0 then
  redis.call('HDEL', KEYS[2], member)
else
  redis.call('HSET', KEYS[2], member, cjson.encode({group = group, want = want, granted = granted,
    in_flight = in_flight, most = most_of_group, expires = now + ttl}))
  redis.call('EXPIRE', KEYS[2], 600)
end
return {granted, total}
