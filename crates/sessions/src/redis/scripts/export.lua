-- ARGV: session. Whether it is only on its way in, and all its turns: as they are read, order, place.
local tag = ARGV[3]
local turns = {}
for _, member in ipairs(call('ZRANGE', all_key(tag), 0, -1)) do
    local turn = stored(tag, id_of(member))
    turns[#turns + 1] = {turn, seq_of(member), tonumber(call('HGET', turn_key(tag, id_of(member)), 'place'))}
end
return {call('EXISTS', importing_key(tag)), turns}
