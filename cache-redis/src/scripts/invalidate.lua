-- KEYS: log, entries…, their leases and the mark of any tag…, marks…, guards…, marks of caches…
-- ARGV: from, how many entries, how many leases, how many marks, how many guards, and what to do about guards:
--       'open', 'close', 'hold' or nothing, the guard's token, how long it lives
-- Returns the message's id, and the marks of the caches as they were: they say in which versions the same entries may
-- be. Entries and marks are announced; leases and the mark of any tag are not.
local entries, leases, marks, guards = take(ARGV[2]), take(ARGV[3]), take(ARGV[4]), take(ARGV[5])
local caches = take(#KEYS - taken)
local change, token, ttl = ARGV[6], ARGV[7], tonumber(ARGV[8])

-- Removes marks, or puts hold-offs in their place. One that is there stays until it ends, and ends no sooner.
local function revoke()
  local removed = {}
  for at, value in ipairs(values(marks)) do
    if change == 'hold' then
      local left = value == HOLD and redis.call('PTTL', marks[at]) or 0
      redis.call('SET', marks[at], HOLD, 'PX', string.format('%d', math.max(left, ttl)))
    elseif value ~= HOLD then
      removed[#removed + 1] = marks[at]
    end
  end
  remove(removed)
end

local function guard(name)
  local present = now()
  if redis.call('TYPE', name).ok ~= 'zset' then
    redis.call('DEL', name)
  end
  if change == 'close' then
    redis.call('ZREM', name, token)
  else
    redis.call('ZADD', name, string.format('%d', present + ttl), token)
  end
  redis.call('ZREMRANGEBYSCORE', name, '-inf', string.format('%d', present))
  local last = end_of_guards(name)
  if last then
    redis.call('PEXPIREAT', name, string.format('%d', last))
  end
end

local registered = values(caches)
remove(entries)
remove(leases)
revoke()
for _, name in ipairs(guards) do
  guard(name)
end
for _, mark in ipairs(marks) do
  entries[#entries + 1] = mark
end
return { append(KEYS[1], ARGV[1], 'del', entries), registered }
