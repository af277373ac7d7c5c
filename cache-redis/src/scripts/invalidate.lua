-- KEYS: names to remove…, marks of caches…   ARGV: how many names there are to remove
-- Returns the marks of the caches as they were: they say in which versions the same entries may be.
local names = tonumber(ARGV[1])
local caches = {}
if #KEYS > names then
  caches = redis.call('MGET', unpack(KEYS, names + 1))
end
redis.call('DEL', unpack(KEYS, 1, names))
return caches
