-- KEYS: lease   ARGV: token
if redis.call('MGET', KEYS[1])[1] == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
