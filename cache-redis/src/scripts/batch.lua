-- KEYS come in groups, after the log: ARGV tells how many names there are in each.
local taken = 1

local function take(count)
  local names = {}
  for at = 1, count do
    names[at] = KEYS[taken + at]
  end
  taken = taken + count
  return names
end

local function values(names)
  return #names > 0 and redis.call('MGET', unpack(names)) or {}
end

local function remove(names)
  if #names > 0 then
    redis.call('DEL', unpack(names))
  end
end

