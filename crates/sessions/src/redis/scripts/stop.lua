-- ARGV: owner, id. Whether another instance has it open.
local tag = session_of(ARGV[4])
if not tag or string.sub(tag, 1, #ARGV[3] + 1) ~= ARGV[3] .. '/' then return 0 end
local turn = call('HMGET', turn_key(tag, ARGV[4]), 'by', 'outcome')
if not turn[1] or turn[2] or turn[1] == ME then return 0 end
ask_to_stop(ARGV[4], turn[1])
return 1
