-- ARGV: then five for each: owner and key, digest in hex, the turn, its life in ms, whether the turn's id points to this partition. What is
-- bound already stays. Which were bound, by their turns.
local bound = {}
for at = 3, #ARGV, 5 do
    local name, id, life, is_here = ARGV[at], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4] ~= ''
    if (is_known(id) or not is_here) and call('SET', P .. 'claim:' .. name, ARGV[at + 1] .. id, 'NX', 'PX', life) then
        if is_here then call('SET', P .. 'claimed:' .. id, name, 'PX', life) end
        bound[#bound + 1] = id
    end
end
return bound
