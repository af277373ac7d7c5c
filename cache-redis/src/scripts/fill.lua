-- KEYS: entry, lease, the key's guards, and if there are late marks: the mark of any tag, late marks…
-- ARGV: token, ttl, head, frame, and if there are late marks: the epoch of any tag that was captured, then as for
--       renew: scopes, fresh, retain, keep
-- Returns 1 if it was stored.
if redis.call('MGET', KEYS[2])[1] ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
-- A guard ends the leases of its key, but those of other versions only in a second step.
if is_guarded(KEYS[3]) then
  return 0
end
local late = ''
if #KEYS > 3 then
  local have = redis.call('MGET', unpack(KEYS, 4))
  if epoch_in(have[1], 'n') ~= ARGV[5] or has_hold(have, 2) then
    return 0
  end
  late = renew(5, have, 2, ARGV[6], ARGV[7], ARGV[8], ARGV[9])
end
redis.call('SET', KEYS[1], dated(ARGV[3], ARGV[2]) .. late .. ARGV[4], 'PX', ARGV[2])
return 1
