-- The instances that had something here and whose lease is over.
local gone = {}
for _, instance in ipairs(call('SMEMBERS', P .. 'instances')) do
    if instance ~= ME and call('EXISTS', P .. 'alive:' .. instance) == 0 then gone[#gone + 1] = instance end
end
return gone
