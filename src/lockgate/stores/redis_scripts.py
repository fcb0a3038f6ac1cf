"""What a Redis or Valkey server runs for us, each script atomic among all replicas (Lua 5.1).

Must not know: connections. TAKE holds to the same rules as `lockgate.core.rate`, number for number;
a test compares the two. Time is the server's own, since clocks of replicas differ.
"""

from __future__ import annotations

from typing import Final

# KEYS: one for each rate. ARGV: the time in microseconds or nothing; then for each key its kind
# (b: bucket, w: window), interval or period in microseconds, burst or limit.
# Returns the microseconds to wait (0: admitted) and the number of the key, from 0, to wait for.
TAKE: Final = """
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local states, worst, at = {}, 0, 0
local function read(key)
  local found = redis.pcall('GET', key)
  if type(found) ~= 'string' then return nil end
  return found
end
local function window(key, period)
  local found, log = read(key), nil
  if found then
    local fine, seen = pcall(cmsgpack.unpack, found)
    if fine and type(seen) == 'table' and #seen % 3 == 0 then log = seen end
  end
  local kept, total = {}, 0
  if log then
    for j = 1, #log, 3 do
      local first, last, count = tonumber(log[j]), tonumber(log[j+1]), tonumber(log[j+2])
      if not (first and last and count and first == first and last == last and count >= 1) then
        return {}, 0
      end
      -- Nothing is later than now: when the server's clock goes back, nobody shall wait for it.
      last = math.min(last, now)
      if last + period > now then
        kept[#kept+1] = first; kept[#kept+1] = last; kept[#kept+1] = count
        total = total + count
      end
    end
  end
  return kept, total
end
for i = 1, #KEYS do
  local kind = ARGV[3*i-1]
  local a, b = tonumber(ARGV[3*i]), tonumber(ARGV[3*i+1])
  local wait = 0
  if kind == 'b' then
    local due = tonumber(read(KEYS[i]) or '') or 0
    if due ~= due then due = 0 end
    due = math.min(due, now + a * b)
    wait = due - now - a * (b - 1)
    states[i] = math.max(due, now) + a
  else
    local log, total = window(KEYS[i], a)
    if total >= b then wait = log[2] + a - now end
    states[i] = log
  end
  if wait > worst then worst = wait; at = i - 1 end
end
if worst > 0 then return {worst, at} end
for i = 1, #KEYS do
  local kind, a, b = ARGV[3*i-1], tonumber(ARGV[3*i]), tonumber(ARGV[3*i+1])
  local state = states[i]
  if kind == 'b' then
    local left = math.ceil((state - now) / 1000) + 1
    redis.call('SET', KEYS[i], string.format('%.0f', state), 'PX', left)
  else
    local n = #state
    local grain = b > 128 and math.floor(a / 128) or 0
    if n > 0 and now - state[n-2] < grain then
      state[n-1] = math.max(state[n-1], now)
      state[n] = state[n] + 1
    else
      state[n+1] = now; state[n+2] = now; state[n+3] = 1
    end
    redis.call('SET', KEYS[i], cmsgpack.pack(state), 'PX', math.ceil(a / 1000) + 1)
  end
end
return {0, 0}
"""

# KEYS: the blob, then its groups. ARGV: value, milliseconds to live.
# A group is a sorted set of keys by when they end, so that it never outgrows what is alive.
PUT: Final = """
local ttl = tonumber(ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ttl)
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
for i = 2, #KEYS do
  if redis.call('TYPE', KEYS[i]).ok ~= 'zset' then redis.call('DEL', KEYS[i]) end
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  redis.call('ZADD', KEYS[i], now + ttl, KEYS[1])
  local last = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[i], math.ceil(tonumber(last[2])))
end
"""

# KEYS: the group.
DROP: Final = """
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then return redis.call('DEL', KEYS[1]) end
local keys = redis.call('ZRANGE', KEYS[1], 0, -1)
for i = 1, #keys, 1000 do
  redis.call('UNLINK', unpack(keys, i, math.min(i + 999, #keys)))
end
redis.call('UNLINK', KEYS[1])
return #keys
"""

# KEYS: the stream. ARGV: data, entries kept, milliseconds after which a silent stream is forgotten.
APPEND: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local number = 1
if #last > 0 then number = tonumber(string.match(last[1][1], '^(%d+)')) + 1 end
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], number .. '-0', 'd', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return number
"""
