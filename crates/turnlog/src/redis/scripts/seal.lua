-- KEYS: the flight. ARGV: what the flight's keys begin with, the log, the life of an open log in ms.
local lease, state = ARGV[1] .. ARGV[2] .. ':lease', ARGV[1] .. ARGV[2] .. ':state'
if redis.call('HEXISTS', state, 'same_as') == 1 or redis.call('EXISTS', lease) == 1 then return 0 end
if redis.call('HSETNX', state, 'ending', 'sealed') == 1 then redis.call('PEXPIRE', state, ARGV[3]) end
return 1
