-- PATCH of active over up to 1,000 sampled ids; every second sweep writes the other value, so each request changes something
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
local function body(value)
  return '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":' .. value .. '}]}'
end
function init()
  local ids, requests = c.sample(1), {}
  for _, value in ipairs({ "false", "true" }) do
    for i = 1, math.min(#ids, 1000) do
      local id = ids[i]
      requests[#requests + 1] = wrk.format("PATCH", c.prefix .. "/Users/" .. id, c.headers(true), body(value))
    end
  end
  request = c.cycle(requests)
end
function done(s, l) c.done(s, l) end
