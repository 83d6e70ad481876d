-- ARGV: an instance, how many at most. Its open turns, first to last: id, info, what came so far.
local found = {}
for _, id in ipairs(call('ZRANGE', P .. 'open:' .. ARGV[3], 0, ARGV[4] - 1)) do
    local tag = session_of(id)
    local turn = tag and call('HMGET', turn_key(tag, id), 'info', 'partial')
    if turn and turn[1] then
        found[#found + 1] = {id, turn[1], turn[2]}
    else
        call('ZREM', P .. 'open:' .. ARGV[3], id)
    end
end
return found
