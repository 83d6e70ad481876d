-- ARGV: lease and life in ms, owner and key, digest in hex, the turn, the turn that it shall no longer be bound to (or
-- empty).
local name, digest, id, from = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local key = P .. 'claim:' .. name
local bound = call('GET', key)
if bound and from ~= '' and string.sub(bound, 65) == from then
    free_claim(from)
    bound = false
end
if bound then return bound end
renew(ARGV[3])
call('SET', key, digest .. id, 'PX', ARGV[4])
call('SET', P .. 'claimed:' .. id, name, 'PX', ARGV[4])
call('SADD', P .. 'pending:' .. ME, id)
return digest .. id
