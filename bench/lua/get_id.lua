-- GET of one user, over the sampled ids
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
function init()
  local requests = {}
  for i, id in ipairs(c.sample(1)) do requests[i] = wrk.format("GET", c.prefix .. "/Users/" .. id, c.headers(false)) end
  request = c.cycle(requests)
end
function done(s, l) c.done(s, l) end
