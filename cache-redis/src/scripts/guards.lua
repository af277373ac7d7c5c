-- A guard's key is a sorted set: the tokens of those that are open, by the server's time at which they end, in ms. On a
-- mark, a hold-off is this text: no epoch has its length, so the mark counts as missing to whoever reads it.
local HOLD = 'hold'

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The head of an entry, with the server's time at which the entry expires put into its place.
local function dated(head, ttl)
  return string.sub(head, 1, 24) .. struct.pack('>I8', now() + ttl) .. string.sub(head, 33)
end

-- When the last of the guards ends; nothing if none is there. Another type under the name is no guard.
local function end_of_guards(name)
  local last = redis.pcall('ZRANGE', name, -1, -1, 'WITHSCORES')
  if not last.err then
    return tonumber(last[2])
  elseif not string.find(last.err, 'WRONGTYPE', 1, true) then
    error(last)
  end
end

local function is_guarded(name)
  local last = end_of_guards(name)
  return last and last > now()
end

-- Whether one of the values at `first` and after it is a hold-off.
local function has_hold(values, first)
  for at = first, #values do
    if values[at] == HOLD then
      return true
    end
  end
  return false
end
