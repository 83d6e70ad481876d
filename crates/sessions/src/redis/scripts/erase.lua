-- ARGV: session. How many there were, the keys that were bound to its turns, its turns.
local tag = ARGV[3]
local members = call('ZRANGE', all_key(tag), 0, -1)
if #members == 0 and call('EXISTS', importing_key(tag)) == 0 then return {0, freed, forgotten} end
for _, member in ipairs(members) do forget(tag, member) end
forget_session(tag)
return {1, freed, forgotten}
