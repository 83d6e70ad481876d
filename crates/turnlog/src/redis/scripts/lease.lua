-- KEYS: the flight. ARGV: what the flight's keys begin with, the log, lives in ms: lease, open log, wish.
local base, own = ARGV[1], ARGV[2]
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= own and redis.call('EXISTS', base .. leader .. ':lease') == 1 then
    redis.call('HSET', base .. own .. ':state', 'same_as', leader)
    redis.call('PEXPIRE', base .. own .. ':state', ARGV[4])
    redis.call('SET', base .. leader .. ':wanted', '1', 'PX', ARGV[5])
    return 'follows'
end
redis.call('SET', KEYS[1], own, 'PX', ARGV[4])
redis.call('SET', base .. own .. ':lease', '1', 'PX', ARGV[3])
redis.call('HDEL', base .. own .. ':state', 'same_as')
return redis.call('EXISTS', base .. 'landed') == 1 and 'landed' or 'leads'
