-- ARGV: lease in ms.
renew(ARGV[3])
return 1
