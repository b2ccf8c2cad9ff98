-- filter externalId eq "x", over the sampled external ids
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
function init() request = c.filter("externalId", 3) end
function done(s, l) c.done(s, l) end
