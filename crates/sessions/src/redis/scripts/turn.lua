-- ARGV: owner, id. Nothing, or a list of one.
local tag = session_of(ARGV[4])
if not tag or string.sub(tag, 1, #ARGV[3] + 1) ~= ARGV[3] .. '/' then return {} end
return {stored(tag, ARGV[4])}
