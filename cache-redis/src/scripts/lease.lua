-- KEYS: entry, the key's guards, lease, its cache's mark, marks…
-- ARGV: token, ttl, claim, id of the entry that was seen, version, its cache's fresh epoch, then as for renew: scopes,
--       fresh, retain, keep
-- Returns {'granted', epochs}, {'held', left}, {'found', left, entry, marks} or {'guarded'}.
local HEAD = 33
local have = redis.call('MGET', unpack(KEYS, 3))
local holder, cache = have[1], have[2]
if is_guarded(KEYS[2]) or has_hold(have, 2) then
  return { 'guarded' }
end
register(KEYS[4], cache, ARGV[5], ARGV[6])
local marks = {}
for at = 3, #have do
  marks[at - 2] = have[at]
end
local epochs = renew(5, marks, ARGV[7], ARGV[8], ARGV[9], ARGV[10])

-- What this library did not write has the id that it is read with: all zeros.
local function id_of(entry)
  if #entry < HEAD or #entry < HEAD + EPOCH * string.byte(entry, HEAD) then
    return string.rep('\0', 16)
  end
  return string.sub(entry, 1, 16)
end

if ARGV[3] == 'join' then
  local entry = redis.call('MGET', KEYS[1])[1]
  if entry and id_of(entry) ~= ARGV[4] then
    local present = #KEYS > 4 and redis.call('MGET', unpack(KEYS, 5)) or {}
    return { 'found', redis.call('PTTL', KEYS[1]), entry, present }
  end
  if holder and holder ~= ARGV[1] then
    local left = redis.call('PTTL', KEYS[3])
    -- One without an end is not a lease.
    if left >= 0 then
      return { 'held', left }
    end
  end
end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
return { 'granted', epochs }
