-- The log is a stream. Each message names the one before it ('0-0' for the first), who sent it, and what was removed
-- ('del') or marked as stale ('exp').
local MOST_MESSAGES = 16384

-- The id of the last message. What is no stream makes way for one: an invalidation must not fail for it.
local function end_of(log)
  local last = redis.pcall('XREVRANGE', log, '+', '-', 'COUNT', 1)
  if not last.err then
    return last[1] and last[1][1]
  elseif string.find(last.err, 'WRONGTYPE', 1, true) then
    redis.call('DEL', log)
  else
    error(last)
  end
end

-- Appends a message about what was done to `names`, and returns its id.
local function append(log, from, what, names)
  local fields = { 'after', end_of(log) or '0-0', 'from', from }
  for _, name in ipairs(names) do
    fields[#fields + 1] = what
    fields[#fields + 1] = name
  end
  return redis.call('XADD', log, 'MAXLEN', '~', MOST_MESSAGES, '*', unpack(fields))
end
