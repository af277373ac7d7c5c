-- KEYS: entry, lease, its cache's mark, marks…
-- ARGV: head, frame, ttl, version, its cache's fresh epoch, then as for renew: scopes, fresh, retain, keep
local have = redis.call('MGET', unpack(KEYS, 3))
register(KEYS[3], have[1], ARGV[4], ARGV[5])
local marks = {}
for at = 2, #have do
  marks[at - 1] = have[at]
end
local epochs = renew(4, marks, ARGV[6], ARGV[7], ARGV[8], ARGV[9])
redis.call('SET', KEYS[1], ARGV[1] .. epochs .. ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
