-- KEYS: lease   ARGV: token, ttl
-- Returns 1 if the token holds it.
if redis.call('MGET', KEYS[1])[1] ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
