-- ARGV: an instance. Frees the keys whose turns it never began, and forgets it, unless it lives or has open turns. The keys.
local instance = ARGV[3]
if call('EXISTS', P .. 'alive:' .. instance) == 1 then return freed end
for _, id in ipairs(call('SMEMBERS', P .. 'pending:' .. instance)) do
    if not is_known(id) then free_claim(id) end
end
call('DEL', P .. 'pending:' .. instance)
if call('ZCARD', P .. 'open:' .. instance) == 0 then call('SREM', P .. 'instances', instance) end
return freed
