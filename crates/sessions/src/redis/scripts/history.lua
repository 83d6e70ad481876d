-- ARGV: session, limit, the turn before which (or empty), whether with replaced ones.
local tag, limit, before = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local turns = ARGV[6] ~= '' and all_key(tag) or current_key(tag)
local last = call('ZCARD', turns)
if before ~= '' then
    local turn = call('HMGET', turn_key(tag, before), 'place', 'seq')
    if not turn[1] then return {} end
    last = call('ZCOUNT', turns, '-inf', '(' .. turn[1])
    for _, other in ipairs(call('ZRANGEBYSCORE', turns, turn[1], turn[1])) do
        if seq_of(other) < tonumber(turn[2]) then last = last + 1 end
    end
end
local page = {}
if last == 0 or limit == 0 then return page end
for _, found in ipairs(call('ZRANGE', turns, math.max(0, last - limit), last - 1)) do
    page[#page + 1] = stored(tag, id_of(found))
end
return page
