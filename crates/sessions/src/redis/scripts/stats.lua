-- Sessions and turns; and a write, since a server that takes none is no store.
call('SET', P .. 'probe', '1', 'PX', 1000)
return call('HMGET', P .. 'counts', 'sessions', 'turns')
