-- ARGV: id, what came so far.
local tag = session_of(ARGV[3])
if not tag then return 0 end
local turn = call('HMGET', turn_key(tag, ARGV[3]), 'by', 'outcome')
if turn[1] ~= ME or turn[2] then return 0 end
call('HSET', turn_key(tag, ARGV[3]), 'partial', ARGV[4])
return 1
