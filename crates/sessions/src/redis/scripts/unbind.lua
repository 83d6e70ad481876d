-- ARGV: then two for each: owner and key, the turn that it is freed of.
for at = 3, #ARGV, 2 do unbind(ARGV[at], ARGV[at + 1]) end
return 1
