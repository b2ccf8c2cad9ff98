-- POST of a new user each time, about 700 bytes once stored
package.path = os.getenv("BENCH_LUA") .. "/?.lua;" .. package.path
local c = require("common")
local fmt = string.format
local core = "urn:ietf:params:scim:schemas:core:2.0:User"
local enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
local plain = os.getenv("BENCH_PLAIN") == "1"
local counter, head = 0, nil
local function body(n)
  local u = fmt("%s-%09d", c.tag, n)
  local schemas, extension = '"' .. core .. '"', ""
  if not plain then
    schemas = schemas .. ',"' .. enterprise .. '"'
    extension = fmt(',"%s":{"employeeNumber":"%09d","department":"Eng"}', enterprise, n)
  end
  return '{"schemas":[' .. schemas .. '],"externalId":"ext-' .. u .. '","userName":"' .. u
    .. '@example.com","name":{"formatted":"Given User","familyName":"User","givenName":"Given"},"displayName":"Given User","title":"Engineer","active":true,"emails":[{"value":"' .. u
    .. '@example.com","type":"work","primary":true}]' .. extension .. '}'
end
function init()
  -- the head is formatted once: every body has the same length
  local probe = body(0)
  head = wrk.format("POST", c.prefix .. "/Users", c.headers(true), probe)
  head = head:sub(1, #head - #probe)
end
function request()
  counter = counter + 1
  return head .. body(counter)
end
function done(s, l) c.done(s, l) end
