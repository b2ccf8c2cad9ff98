-- Shared by every workload. What it needs comes from the environment:
--   BENCH_PREFIX  path before /Users            BENCH_AUTH   value of the Authorization header, or empty
--   BENCH_CTYPE   content type of bodies        BENCH_TAG    makes the user names of this run unique
--   BENCH_SAMPLE  file with "id userName externalId email" a line
--   BENCH_TOTAL   users in the store
local M = {}
M.prefix = os.getenv("BENCH_PREFIX") or ""
M.auth = os.getenv("BENCH_AUTH") or ""
M.tag = os.getenv("BENCH_TAG") or tostring(os.time())
M.ctype = os.getenv("BENCH_CTYPE") or "application/scim+json"
M.total = tonumber(os.getenv("BENCH_TOTAL") or "0")

function M.headers(with_body)
  local h = { ["Accept"] = "application/scim+json", ["Host"] = wrk.host .. ":" .. wrk.port }
  if M.auth ~= "" then h["Authorization"] = M.auth end
  if with_body then h["Content-Type"] = M.ctype end
  return h
end

-- one column of the sample: 1 id, 2 userName, 3 externalId, 4 email
function M.sample(column)
  local out = {}
  local file = assert(io.open(os.getenv("BENCH_SAMPLE") or error("BENCH_SAMPLE is not set")))
  for line in file:lines() do
    local fields = {}
    for field in line:gmatch("%S+") do fields[#fields + 1] = field end
    if fields[column] and fields[column] ~= "-" then out[#out + 1] = fields[column] end
  end
  file:close()
  assert(#out > 0, "the sample has nothing in this column")
  return out
end

function M.urlencode(s)
  return (s:gsub("[^%w%-%._~]", function(c) return string.format("%%%02X", string.byte(c)) end))
end

-- requests formatted once, up front: wrk's core has no other work than to send them
function M.cycle(requests)
  local i, n = 0, #requests
  return function()
    i = i + 1
    if i > n then i = 1 end
    return requests[i]
  end
end

function M.filter(attribute, column)
  local requests = {}
  for i, value in ipairs(M.sample(column)) do
    local filter = M.urlencode(attribute .. ' eq "' .. value .. '"')
    requests[i] = wrk.format("GET", M.prefix .. "/Users?filter=" .. filter, M.headers(false))
  end
  return M.cycle(requests)
end

function M.done(summary, latency)
  io.write(string.format(
    'RESULT {"rps":%.1f,"p50Us":%d,"p99Us":%d,"requests":%d,"badStatus":%d,"timeouts":%d,"broken":%d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99),
    summary.requests, summary.errors.status, summary.errors.timeout,
    summary.errors.connect + summary.errors.read + summary.errors.write))
end
return M
