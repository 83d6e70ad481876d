-- ARGV: a partition's number; then turns whose ids point here and whose session is there. Whether none of them is another one's.
for at = 4, #ARGV do
    if session_of(ARGV[at]) then return 0 end
    local known = call('GET', elsewhere_key(ARGV[at]))
    if known and known ~= ARGV[3] then return 0 end
end
for at = 4, #ARGV do
    call('SET', elsewhere_key(ARGV[at]), ARGV[3])
    call('SREM', P .. 'pending:' .. ME, ARGV[at])
end
return 1
