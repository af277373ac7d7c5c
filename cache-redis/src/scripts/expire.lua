-- KEYS: log, entries…, their leases and the mark of any tag…, tags…, marks of caches…
-- ARGV: from, how many entries, how many leases, how many tags, a fresh epoch for each tag
-- Returns as an invalidation does. Entries and tags are announced.
local HEAD, FLAGS, EXPIRED = 33, 16, '\128'

local entries, leases, tags = take(ARGV[2]), take(ARGV[3]), take(ARGV[4])
local caches = take(#KEYS - taken)

-- What is no string, or too short to be an entry, is none of ours.
for _, name in ipairs(entries) do
  if redis.call('TYPE', name).ok == 'string' and redis.call('STRLEN', name) >= HEAD then
    redis.call('SETRANGE', name, FLAGS, EXPIRED)
  end
end
remove(leases)

-- The epoch that a tag had goes to the earlier ones that are remembered with it. A hold-off and a missing one stay.
for at, tag in ipairs(values(tags)) do
  if epoch_in(tag, 't') then
    local fresh = string.sub(ARGV[5], (at - 1) * EPOCH + 1, at * EPOCH)
    redis.call('SET', tags[at], fresh .. string.sub(tag, 1, REST), 'KEEPTTL')
  end
end
local registered = values(caches)
for _, tag in ipairs(tags) do
  entries[#entries + 1] = tag
end
return { append(KEYS[1], ARGV[1], 'exp', entries), registered }
