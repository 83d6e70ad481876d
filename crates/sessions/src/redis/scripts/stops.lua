-- The turns of this instance that others asked to stop since the last call.
local turns = call('SMEMBERS', P .. 'stops:' .. ME)
if #turns > 0 then call('DEL', P .. 'stops:' .. ME) end
return turns
