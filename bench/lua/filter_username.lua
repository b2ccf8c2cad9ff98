-- filter userName eq "x", over the sampled user names
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
function init() request = c.filter("userName", 2) end
function done(s, l) c.done(s, l) end
