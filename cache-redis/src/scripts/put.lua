-- KEYS: entry, lease, the key's guards, log, its cache's mark, marks…
-- ARGV: head, frame, ttl, from, version, its cache's fresh epoch, then as for renew: scopes, fresh, retain, keep
-- Returns 1 if it was stored.
local have = redis.call('MGET', unpack(KEYS, 5))
if is_guarded(KEYS[3]) or has_hold(have, 1) then
  return 0
end
register(KEYS[5], have[1], ARGV[5], ARGV[6])
local epochs = renew(6, have, 2, ARGV[7], ARGV[8], ARGV[9], ARGV[10])
redis.call('SET', KEYS[1], dated(ARGV[1], ARGV[3]) .. epochs .. ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
append(KEYS[4], ARGV[4], 'del', { KEYS[1] })
return 1
