-- KEYS: entry, the key's guards, lease, its cache's mark, marks…
-- ARGV: token, ttl, claim, id of the entry that was seen, version, its cache's fresh epoch, then as for renew: scopes,
--       fresh, retain, keep
-- Returns the epochs if the lease is granted, how long it lasts if another has it, {left, entry, marks} if an entry is
-- there, and nothing if a guard is open.
local HEAD = 33
local joins = ARGV[3] == 'join'
-- All at once. Who doesn't join has no use for the entry: the lease stands in its place.
local have = redis.call('MGET', KEYS[joins and 1 or 3], unpack(KEYS, 3))
local entry, holder, cache = have[1], have[2], have[3]
if is_guarded(KEYS[2]) or has_hold(have, 3) then
  return false
end
register(KEYS[4], cache, ARGV[5], ARGV[6])
local epochs = renew(5, have, 4, ARGV[7], ARGV[8], ARGV[9], ARGV[10])

-- What this library did not write has the id that it is read with: all zeros.
local function id_of(entry)
  if #entry < HEAD or #entry < HEAD + EPOCH * string.byte(entry, HEAD) then
    return string.rep('\0', 16)
  end
  return string.sub(entry, 1, 16)
end

if joins then
  if entry and id_of(entry) ~= ARGV[4] then
    local present = #KEYS > 4 and redis.call('MGET', unpack(KEYS, 5)) or {}
    return { redis.call('PTTL', KEYS[1]), entry, present }
  end
  if holder and holder ~= ARGV[1] then
    local left = redis.call('PTTL', KEYS[3])
    -- One without an end is not a lease.
    if left >= 0 then
      return left
    end
  end
end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
return epochs
