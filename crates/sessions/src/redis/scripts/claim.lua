-- ARGV: lease and life in ms, owner and key, digest in hex, the turn, the turn that it shall no longer be bound to (or
-- empty), whether the turn's id points to this partition.
local name, digest, id, from, is_here = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9] ~= ''
local key = P .. 'claim:' .. name
local bound = call('GET', key)
if bound and from ~= '' and string.sub(bound, 65) == from then
    call('DEL', key, P .. 'claimed:' .. from)
    bound = false
end
if bound then return bound end
call('SET', key, digest .. id, 'PX', ARGV[4])
if is_here then claimed(name, id, ARGV[4], ARGV[3]) end
return digest .. id
