-- the first page of 100
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
function init()
  request = c.cycle({ wrk.format("GET", c.prefix .. "/Users?startIndex=1&count=100", c.headers(false)) })
end
function done(s, l) c.done(s, l) end
