-- ARGV: session, how many, the turn before whose place (or empty). How many turns others have open, and the turns: the last come first.
local tag, wanted, before = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local current = current_key(tag)
local elsewhere = 0
for _, by in ipairs(call('HVALS', open_key(tag))) do
    if by ~= ME then elsewhere = elsewhere + 1 end
end
local last = call('ZCARD', current)
if before ~= '' then
    local place = call('HGET', turn_key(tag, before), 'place')
    if not place then return {elsewhere, {}} end
    last = call('ZCOUNT', current, '-inf', '(' .. place)
end
local found = {}
while last > 0 and #found < wanted do
    local first = math.max(0, last - 16)
    local members = call('ZRANGE', current, first, last - 1)
    for i = #members, 1, -1 do
        local turn = call('HMGET', turn_key(tag, id_of(members[i])), 'info', 'question', 'notes', 'outcome', 'output')
        if turn[5] and #found < wanted then found[#found + 1] = {turn[1], turn[2], turn[3], turn[4]} end
    end
    last = first
end
return {elsewhere, found}
