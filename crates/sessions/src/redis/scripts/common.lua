-- What all scripts share. ARGV[1] is what every key of the partition begins with, ARGV[2] the instance that calls. A session is
-- named "owner/session". A turn is a hash; two sorted sets hold a session's turns by place, and at one
-- place in the order in which they began: all of them, and those that are not replaced.
local P, ME = ARGV[1], ARGV[2]
local call = redis.call

local function turn_key(tag, id) return P .. '{' .. tag .. '}:turn:' .. id end
local function all_key(tag) return P .. '{' .. tag .. '}:all' end
local function current_key(tag) return P .. '{' .. tag .. '}:current' end
local function last_key(tag) return P .. '{' .. tag .. '}:last' end
-- Its open turns, and who has them.
local function open_key(tag) return P .. '{' .. tag .. '}:open' end
local function importing_key(tag) return P .. '{' .. tag .. '}:importing' end
local function session_of(id) return call('GET', P .. 'turn:' .. id) end
-- A turn whose id points here, and whose session is in the partition of that number.
local function elsewhere_key(id) return P .. 'elsewhere:' .. id end
local function is_known(id) return call('EXISTS', P .. 'turn:' .. id, elsewhere_key(id)) > 0 end

-- A member of the two sets: equal places are ordered by it.
local function member(seq, id) return string.format('%015.0f', seq) .. id end
local function seq_of(member) return tonumber(string.sub(member, 1, 15)) end
local function id_of(member) return string.sub(member, 16) end

local function renew(lease)
    call('SET', P .. 'alive:' .. ME, '1', 'PX', lease)
    call('SADD', P .. 'instances', ME)
end

-- What the end of a turn means for those that it is to replace. One that was replaced while it was open means nothing.
local function decide(tag, id)
    local key = turn_key(tag, id)
    local turn = call('HMGET', key, 'replaces', 'followers', 'seq', 'place', 'output', 'replaced_by')
    local replaces, seq, place = turn[1], tonumber(turn[3]), tonumber(turn[4])
    if not replaces or turn[6] then return end
    if not turn[5] then
        call('HSET', key, 'replaced_by', replaces)
        call('ZREM', current_key(tag), member(seq, id))
        return
    end
    local found = call('ZRANGEBYSCORE', current_key(tag), place, turn[2] and '+inf' or place, 'WITHSCORES')
    for i = 1, #found, 2 do
        local other, score = found[i], tonumber(found[i + 1])
        local other_key = turn_key(tag, id_of(other))
        local goes
        if score == place then
            -- An open turn at the same place is another replacement, whose own end decides about it.
            goes = call('HEXISTS', other_key, 'outcome') == 1
        else
            goes = seq_of(other) < seq
        end
        if goes and id_of(other) ~= id then
            call('HSET', other_key, 'replaced_by', id)
            call('ZREM', current_key(tag), other)
        end
    end
end

local function ended(tag, id, outcome, output)
    local key = turn_key(tag, id)
    call('HSET', key, 'outcome', outcome, 'by', ME)
    if output ~= '' then call('HSET', key, 'output', output) end
    call('HDEL', key, 'partial')
    call('HDEL', open_key(tag), id)
    call('ZADD', P .. 'ages', call('HGET', key, 'started_us'), id)
    decide(tag, id)
end

-- Takes one new turn of ten arguments, from ARGV[at] on: session, id, info, question, notes, start in microseconds, what
-- it replaces, whether with followers, outcome, whether with output; the last four may be empty.
local function insert(at)
    local tag, id, info, question, notes = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local started_us, replaces, followers, outcome = ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8]
    if is_known(id) then return 'taken' end
    local place
    if replaces ~= '' then
        place = call('HGET', turn_key(tag, replaces), 'place')
        if not place then return 'nothing to replace' end
    end
    local seq = call('INCR', last_key(tag))
    if seq == 1 then call('HINCRBY', P .. 'counts', 'sessions', 1) end
    call('HINCRBY', P .. 'counts', 'turns', 1)
    place = place or seq
    local key = turn_key(tag, id)
    call('HSET', key, 'info', info, 'question', question, 'notes', notes, 'started_us', started_us, 'seq', seq, 'place',
        place, 'by', ME)
    if replaces ~= '' then call('HSET', key, 'replaces', replaces) end
    if followers ~= '' then call('HSET', key, 'followers', followers) end
    call('ZADD', all_key(tag), place, member(seq, id))
    call('ZADD', current_key(tag), place, member(seq, id))
    call('SET', P .. 'turn:' .. id, tag)
    call('SREM', P .. 'pending:' .. ME, id)
    if outcome ~= '' then
        ended(tag, id, outcome, ARGV[at + 9])
    else
        call('ZADD', P .. 'open:' .. ME, call('INCR', P .. 'begun'), id)
        call('HSET', open_key(tag), id, ME)
    end
    return 'ok'
end

local function unbind(name, id)
    local bound = call('GET', P .. 'claim:' .. name)
    if bound and string.sub(bound, 65) == id then call('DEL', P .. 'claim:' .. name) end
end

-- Frees the idempotency key that is bound to a turn. One that is kept in another partition is freed there, by whoever called.
local freed = {}
local function free_claim(id)
    local name = call('GET', P .. 'claimed:' .. id)
    if not name then return end
    unbind(name, id)
    call('DEL', P .. 'claimed:' .. id)
    freed[#freed + 1] = {name, id}
end

-- A key is bound to a turn, which is to begin before this instance's lease is over.
local function claimed(name, id, life, lease)
    renew(lease)
    call('SET', P .. 'claimed:' .. id, name, 'PX', life)
    if not is_known(id) then call('SADD', P .. 'pending:' .. ME, id) end
end

-- Another instance has it open, and finds the wish with its next look. One that is no more never does.
local function ask_to_stop(id, by)
    call('SADD', P .. 'stops:' .. by, id)
    call('PEXPIRE', P .. 'stops:' .. by, 60000)
end

local forgotten = {}
local function forget(tag, member)
    local id = id_of(member)
    forgotten[#forgotten + 1] = id
    local turn = call('HMGET', turn_key(tag, id), 'by', 'outcome')
    if turn[1] and not turn[2] then
        -- So that its end is not taken for that of a turn which the server has lost.
        call('SET', P .. 'erased:' .. id, '1', 'PX', 3600000)
        call('ZREM', P .. 'open:' .. turn[1], id)
        if turn[1] ~= ME then ask_to_stop(id, turn[1]) end
    end
    free_claim(id)
    call('DEL', turn_key(tag, id), P .. 'turn:' .. id)
    call('ZREM', P .. 'ages', id)
    call('HINCRBY', P .. 'counts', 'turns', -1)
end

local function forget_session(tag)
    call('DEL', all_key(tag), current_key(tag), last_key(tag), open_key(tag), importing_key(tag))
    call('HINCRBY', P .. 'counts', 'sessions', -1)
end

-- A turn as it is read. The last is whether another instance has it open: if that is no more, somebody will end the turn,
-- and until then nobody can say that it has ended.
local function stored(tag, id)
    local turn = call('HMGET', turn_key(tag, id), 'info', 'question', 'notes', 'outcome', 'partial', 'replaced_by',
        'feedback', 'by')
    local by = turn[8]
    turn[8] = 0
    if by and not turn[4] and by ~= ME then turn[8] = 1 end
    return turn
end
