-- filter emails.value eq "x", over the sampled addresses
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
function init() request = c.filter("emails.value", 4) end
function done(s, l) c.done(s, l) end
