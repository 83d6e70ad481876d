-- ARGV[3] is the lease in ms; then the turns.
renew(ARGV[3])
local results = {}
for at = 4, #ARGV, 10 do results[#results + 1] = insert(at) end
return results
