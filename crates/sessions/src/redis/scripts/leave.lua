-- Gives the lease back; whatever is open is ended by others.
call('DEL', P .. 'alive:' .. ME)
if call('ZCARD', P .. 'open:' .. ME) == 0 and call('SCARD', P .. 'pending:' .. ME) == 0 then
    call('SREM', P .. 'instances', ME)
end
return 1
