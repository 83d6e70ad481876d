-- ARGV: then four for each: owner and key, digest in hex, the turn, its life in ms. What is bound already stays. How many were bound.
local bound = 0
for at = 3, #ARGV, 4 do
    local name, id, life = ARGV[at], ARGV[at + 2], ARGV[at + 3]
    if session_of(id) and call('SET', P .. 'claim:' .. name, ARGV[at + 1] .. id, 'NX', 'PX', life) then
        call('SET', P .. 'claimed:' .. id, name, 'PX', life)
        bound = bound + 1
    end
end
return bound
