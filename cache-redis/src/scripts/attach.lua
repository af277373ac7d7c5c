-- KEYS: log, the record of the server, the mark of the namespace
-- ARGV: from, the server, the longest staleness in ms (8 bytes, big-endian), '1' to keep what is there
-- Returns the id of the last message, whether the mark was removed, and the fleet's longest staleness.
local SERVER = 16
local record = redis.call('MGET', KEYS[2])[1]
local is_record = record and #record == SERVER + 8
local is_known = is_record and string.sub(record, 1, SERVER) == ARGV[2]

local longest = ARGV[3]
if is_record then
  local recorded = string.sub(record, SERVER + 1)
  if struct.unpack('>I8', recorded) > struct.unpack('>I8', longest) then
    longest = recorded
  end
end
if record ~= ARGV[2] .. longest then
  redis.call('SET', KEYS[2], ARGV[2] .. longest)
end

local is_renewed = not is_known and ARGV[4] ~= '1'
if is_renewed then
  -- A hold-off counts as missing too, and stays.
  if redis.call('MGET', KEYS[3])[1] ~= HOLD then
    redis.call('DEL', KEYS[3])
  end
  return { append(KEYS[1], ARGV[1], 'del', { KEYS[3] }), 1, longest }
end
return { end_of(KEYS[1]) or append(KEYS[1], ARGV[1], 'del', {}), 0, longest }
