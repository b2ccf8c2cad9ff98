-- pages of 100 from anywhere in the store
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
function init()
  math.randomseed(1)
  local requests = {}
  for i = 1, 2000 do
    local start = math.random(1, math.max(1, c.total - 99))
    requests[i] = wrk.format("GET", c.prefix .. "/Users?startIndex=" .. start .. "&count=100", c.headers(false))
  end
  request = c.cycle(requests)
end
function done(s, l) c.done(s, l) end
