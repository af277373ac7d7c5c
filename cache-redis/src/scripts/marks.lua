-- A mark is an epoch of 16 bytes; that of a cache ('c') goes on with the live versions, 4 bytes each, that of a tag ('t')
-- with earlier epochs whose entries are stale, the latest one first. Anything else under its name counts as missing. MGET
-- rather than GET, because it reads another type as missing too.
local EPOCH, VERSION, REST = 16, 4, 64

local function epoch_in(mark, scope)
  local rest = mark and #mark - EPOCH
  local size = scope == 'c' and VERSION or EPOCH
  if rest == 0 or (scope ~= 'n' and rest and rest > 0 and rest <= REST and rest % size == 0) then
    return string.sub(mark, 1, EPOCH)
  end
end

-- Epochs by the name of their mark. One mark may be named twice in a call.
local known = {}

-- Puts `version` down in a cache's mark. One more than fit makes a new mark: the others' entries die with the old one.
local function register(name, mark, version, fresh)
  local epoch = epoch_in(mark, 'c')
  local versions = epoch and string.sub(mark, EPOCH + 1) or ''
  known[name] = epoch
  for at = 1, #versions, VERSION do
    if string.sub(versions, at, at + VERSION - 1) == version then
      return
    end
  end
  if not epoch or #versions == REST then
    known[name], versions = fresh, ''
  end
  redis.call('SET', name, known[name] .. versions .. version)
end

-- The epochs of the marks KEYS[first…], joined; have[from…] are their values. Missing ones are made; those of tags ('t')
-- live for `retain` at least, and are given the longer `keep` so that this is rare.
local function renew(first, have, from, scopes, fresh, retain, keep)
  local epochs = {}
  for at = 1, #scopes do
    local name, scope = KEYS[first + at - 1], string.sub(scopes, at, at)
    local epoch = known[name] or epoch_in(have[from + at - 1], scope)
    if not epoch then
      epoch = string.sub(fresh, (at - 1) * EPOCH + 1, at * EPOCH)
      if scope == 't' then
        redis.call('SET', name, epoch, 'PX', keep)
      else
        redis.call('SET', name, epoch)
      end
    elseif scope == 't' and not known[name] then
      local left = redis.call('PTTL', name)
      if left >= 0 and left < tonumber(retain) then
        redis.call('PEXPIRE', name, keep)
      end
    end
    known[name], epochs[at] = epoch, epoch
  end
  return table.concat(epochs)
end
