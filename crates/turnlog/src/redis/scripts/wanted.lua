-- KEYS: the flight. ARGV: what the flight's keys begin with, the log.
return redis.call('EXISTS', ARGV[1] .. ARGV[2] .. ':wanted')
