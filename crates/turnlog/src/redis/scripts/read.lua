-- KEYS: the flight. ARGV: what the flight's keys begin with, the log, the number of the first entry, how many at most, the
-- life of the wish in ms (or empty). Whether the lease holds, whether another log was read, about, the ending, the entries.
local base, own, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
local other = redis.call('HGET', base .. own .. ':state', 'same_as')
own = other or own
if ARGV[5] ~= '' then redis.call('SET', base .. own .. ':wanted', '1', 'PX', ARGV[5]) end
local entries = {}
for _, entry in ipairs(redis.call('XRANGE', base .. own, (ARGV[3] + 1) .. '-0', '+', 'COUNT', limit)) do
    entries[#entries + 1] = entry[2][2]
end
local state = redis.call('HMGET', base .. own .. ':state', 'about', 'ending')
local ending = #entries < limit and state[2]
return {redis.call('EXISTS', base .. own .. ':lease'), other and 1 or 0, state[1], ending, entries}
