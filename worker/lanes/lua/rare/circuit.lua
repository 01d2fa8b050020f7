-- The circuit of the endpoint, once it is in trouble or attempts fail.

local CIRCUIT = P .. 'circuit:' .. B.endpoint
local STRUGGLING = P .. 'struggling:' .. B.endpoint

-- Who failed lately leaves the probe to those who did not: an account's own trouble would keep it to itself.
local function yields_probe(lane)
  return call('SISMEMBER', STRUGGLING, lane) == 1 and call('SCARD', candidates_key(B.endpoint)) > 0
end

-- Halt a lane until the circuit closes; at `at` something in it becomes stale.
local function hold(lane, at)
  if call('SISMEMBER', STRUGGLING, lane) == 0 then
    call('SADD', candidates_key(B.endpoint), lane)
    call('PEXPIRE', candidates_key(B.endpoint), 3600000)
  end
  halt(lane, at)
end

local function set_probe(at)
  opens = at
  call('ZADD', CIRCUITS, at, B.endpoint)
end

-- This lane's next attempt is the probe. If it never tells, there is another after its lease.
local function probe(lane)
  set_probe(now + A.lease)
  call('HSET', CIRCUIT, 'probe', lane)
  call('SREM', candidates_key(B.endpoint), lane)
end

local function open(failures)
  local pause = math.min(B.circuit_cap, B.circuit_pause * 2 ^ math.min(failures, 20))
  set_probe(now + pause)
  call('HSET', CIRCUIT, 'failures', failures + 1)
  call('HSETNX', CIRCUIT, 'since', now)
  call('HDEL', CIRCUIT, 'probe')
  call('PEXPIRE', CIRCUIT, 3600000)
  arm(now + pause)
end

-- Learn from an attempt that was not well; see `learn` in brakes.lua.
local function learn(lane, health)
  local is_open = probe_at() ~= nil
  local probing = is_open and call('HGET', CIRCUIT, 'probe') == lane
  if health == 'ill' then
    call('SADD', STRUGGLING, lane)
    call('PEXPIRE', STRUGGLING, 60000)
    if probing then return open(tonumber(call('HGET', CIRCUIT, 'failures')) or 0) end
    if not is_open and call('SCARD', STRUGGLING) >= B.circuit_lanes then
      circuits[#circuits + 1] = { endpoint = B.endpoint, open = true }
      open(0)
    end
  elseif probing then
    call('HDEL', CIRCUIT, 'probe')
    set_probe(now)
    arm(now)
  end
end

return { yields_probe = yields_probe, hold = hold, probe = probe, learn = learn }
