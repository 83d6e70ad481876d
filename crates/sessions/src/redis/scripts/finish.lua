-- ARGV: id, outcome, whether with output, the instance that had it. That is the caller, or one whose lease is over.
local id, from = ARGV[3], ARGV[6]
local tag = session_of(id)
if not tag then return call('EXISTS', P .. 'erased:' .. id) == 1 and 'erased' or 'none' end
local turn = call('HMGET', turn_key(tag, id), 'by', 'outcome')
if not turn[1] then return 'none' end
if turn[2] then
    if turn[1] ~= ME then return 'lost' end
    -- Said again: a write, so that replicas which are waited for have to have come so far.
    call('HSET', turn_key(tag, id), 'by', ME)
    return 'ended'
end
if turn[1] ~= from then return 'lost' end
if from ~= ME and call('EXISTS', P .. 'alive:' .. from) == 1 then return 'alive' end
call('ZREM', P .. 'open:' .. from, id)
ended(tag, id, ARGV[4], ARGV[5])
return 'ok'
