-- ARGV: then turns whose ids point here, and which are no more where their session was. The keys that were bound to them.
for at = 3, #ARGV do
    call('DEL', elsewhere_key(ARGV[at]))
    free_claim(ARGV[at])
end
return freed
