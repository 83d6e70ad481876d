-- ARGV: a turn whose id points here. The number of the partition where its session is, or nothing.
return call('GET', elsewhere_key(ARGV[3]))
