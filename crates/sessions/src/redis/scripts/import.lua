-- ARGV: session, the last number, whether these are its first turns, whether its last ones; then the turns, thirteen
-- arguments each: id, info, question, notes, start in microseconds, order, place, replaces, whether with followers, outcome,
-- whether with output, replaced_by, feedback. Until the last ones are there the session is marked: whoever comes again begins anew.
local tag, last, first, final = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if first ~= '' then
    if call('EXISTS', last_key(tag)) == 1 then return 'there' end
    call('SET', importing_key(tag), '1')
    call('SET', last_key(tag), last)
    call('HINCRBY', P .. 'counts', 'sessions', 1)
elseif call('EXISTS', importing_key(tag)) == 0 then
    return 'there'
end
for at = 7, #ARGV, 13 do
    local id = ARGV[at]
    if is_known(id) then return 'taken' end
end
for at = 7, #ARGV, 13 do
    local id, seq, place = ARGV[at], tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
    local key = turn_key(tag, id)
    call('HSET', key, 'info', ARGV[at + 1], 'question', ARGV[at + 2], 'notes', ARGV[at + 3], 'started_us', ARGV[at + 4],
        'seq', seq, 'place', place, 'by', ME, 'outcome', ARGV[at + 9])
    for field, value in pairs({replaces = ARGV[at + 7], followers = ARGV[at + 8], output = ARGV[at + 10],
        replaced_by = ARGV[at + 11], feedback = ARGV[at + 12]}) do
        if value ~= '' then call('HSET', key, field, value) end
    end
    call('ZADD', all_key(tag), place, member(seq, id))
    if ARGV[at + 11] == '' then call('ZADD', current_key(tag), place, member(seq, id)) end
    call('SET', P .. 'turn:' .. id, tag)
    call('ZADD', P .. 'ages', ARGV[at + 4], id)
    call('HINCRBY', P .. 'counts', 'turns', 1)
end
if final ~= '' then call('DEL', importing_key(tag)) end
return 'ok'
