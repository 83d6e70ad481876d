-- ARGV: a time in microseconds, how many at most. Only ended turns have an age. How many there were, the keys
-- that were bound to them, they themselves.
local old = call('ZRANGEBYSCORE', P .. 'ages', '-inf', '(' .. ARGV[3], 'LIMIT', 0, ARGV[4])
for _, id in ipairs(old) do
    local tag = session_of(id)
    local seq = tag and call('HGET', turn_key(tag, id), 'seq')
    if seq then
        local member = member(tonumber(seq), id)
        forget(tag, member)
        call('ZREM', all_key(tag), member)
        call('ZREM', current_key(tag), member)
        if call('ZCARD', all_key(tag)) == 0 then forget_session(tag) end
    else
        call('ZREM', P .. 'ages', id)
    end
end
return {#old, freed, forgotten}
