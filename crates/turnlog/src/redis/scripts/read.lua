-- KEYS: the flight. ARGV: what the flight's keys begin with, the log, the number of the first entry, how many at most, the
-- life of the wish in ms (or empty). Whether the lease holds, about, the ending, the entries.
local base, own, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
own = redis.call('HGET', base .. own .. ':state', 'same_as') or own
if ARGV[5] ~= '' then redis.call('SET', base .. own .. ':wanted', '1', 'PX', ARGV[5]) end
local entries = {}
for _, entry in ipairs(redis.call('XRANGE', base .. own, (ARGV[3] + 1) .. '-0', '+', 'COUNT', limit)) do
    entries[#entries + 1] = entry[2][2]
end
local state = redis.call('HMGET', base .. own .. ':state', 'about', 'ending')
local ending = #entries < limit and state[2]
return {redis.call('EXISTS', base .. own .. ':lease'), state[1], ending, entries}
