-- ARGV: owner, id, feedback (or empty).
local tag = session_of(ARGV[4])
if not tag or string.sub(tag, 1, #ARGV[3] + 1) ~= ARGV[3] .. '/' then return 0 end
local key = turn_key(tag, ARGV[4])
if call('HEXISTS', key, 'outcome') == 0 then return 0 end
if ARGV[5] == '' then call('HDEL', key, 'feedback') else call('HSET', key, 'feedback', ARGV[5]) end
return 1
