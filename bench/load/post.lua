-- One scenario for wrk: the same POST again and again, each with an id of its own.
--
-- From the environment, written by bench/wrk.py: BENCH_HEADERS (one "name: value" a line), and
-- BENCH_BEFORE and BENCH_AFTER, the body up to and after its id. Ids have eight digits, so every
-- request and every answer of a scenario has one length, which the harness checks.

local before = os.getenv("BENCH_BEFORE")
local after = os.getenv("BENCH_AFTER")
local id = 10000000
local head = ""
local tail = ""

function init(args)
  for name, value in string.gmatch(os.getenv("BENCH_HEADERS"), "([^:\n]+): ([^\n]*)\n") do
    wrk.headers[name] = value
  end
  wrk.method = "POST"
  wrk.body = before .. tostring(id) .. after
  local whole = wrk.format()
  head = string.sub(whole, 1, #whole - #after - 8)
  tail = after
end

function request()
  id = id + 1
  return head .. id .. tail
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests": %d, "microseconds": %d, "bytes": %d, "p50": %.1f, "p99": %.1f, ' ..
    '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
