-- ARGV: lease and life in ms, owner and key, the turn: it is bound in another partition, and its id points to this one.
claimed(ARGV[5], ARGV[6], ARGV[4], ARGV[3])
return 1
