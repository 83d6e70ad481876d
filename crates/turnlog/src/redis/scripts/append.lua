-- KEYS: the flight. ARGV: what the flight's keys begin with, the log, lives in ms: lease, open log, ended log, landed (or
-- empty); the number of the first entry, about, the ending (or empty), the entries. Whether the log took them.
local base, own, ending, from = ARGV[1], ARGV[2], ARGV[9], tonumber(ARGV[7])
local log, state = base .. own, base .. own .. ':state'
local have = redis.call('XLEN', log)
local ended = redis.call('HGET', state, 'ending')
if ended then return (ended == ending and have == from + #ARGV - 9) and 1 or 0 end
if from > have then return 0 end
for i = 10 + have - from, #ARGV do
    redis.call('XADD', log, (from + i - 9) .. '-0', 'e', ARGV[i])
end
redis.call('HSET', state, 'about', ARGV[8])
local is_leader = redis.call('GET', KEYS[1]) == own
if ending == '' then
    redis.call('SET', base .. own .. ':lease', '1', 'PX', ARGV[3])
    redis.call('PEXPIRE', log, ARGV[4])
    redis.call('PEXPIRE', state, ARGV[4])
    if is_leader then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
else
    redis.call('HSET', state, 'ending', ending)
    redis.call('DEL', base .. own .. ':lease')
    redis.call('PEXPIRE', log, ARGV[5])
    redis.call('PEXPIRE', state, ARGV[5])
    if is_leader then redis.call('DEL', KEYS[1]) end
    if ARGV[6] ~= '' then redis.call('SET', base .. 'landed', '1', 'PX', ARGV[6]) end
end
return 1
