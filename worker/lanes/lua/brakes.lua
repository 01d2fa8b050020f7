-- What holds lanes back although they have work: pauses, rate limits, and a circuit that is open.
-- None of them costs a signal an attempt.
--
-- A.brakes  {endpoint, rate, burst, connector_rate, connector_burst, retry_rate, circuit_lanes,
--           circuit_pause, circuit_cap, rates?: {lane: {rate, burst}} instead of connector_…}; rates per second and 0 for none, times in ms. Absent where
--           nothing is handed out.

local PAUSES = P .. 'pauses'     -- hash: scope -> who paused it, for which reasons
local CIRCUITS = P .. 'circuits' -- zset: endpoint whose circuit is open -> when a probe may go out

local FAR = 9007199254740991     -- a time that never comes
local LOOKED_AT = 100            -- signals at the front of a halted lane that are looked at for being stale
local STALE_EVERY = 1000        -- ms between two looks for stale signals in a lane that is halted
local B = A.brakes or {}

local scopes = nil
local known_well = false

-- Whether a person has said that anything shall wait.
local function any_paused()
  if scopes == nil then
    scopes = call('HLEN', PAUSES) > 0 and call('HMGET', PAUSES, 'all', 'entries')
  end
  return scopes and true
end

-- Whether a person has said that this signal shall wait.
local function paused(lane, class)
  if not any_paused() then return false end
  local of_lane = call('HMGET', PAUSES, 'all:' .. lane, 'entries:' .. lane)
  if scopes[1] or of_lane[1] then return true end
  return class == 'entry' and (scopes[2] or of_lane[2]) and true or false
end

-- Have all halted lanes looked at again: some brake has been taken off. Who is still held is halted again.
local function release_all()
  call('ZUNIONSTORE', WAKEUPS, 2, WAKEUPS, HALTED, 'WEIGHTS', 1, 0, 'AGGREGATE', 'MAX')
  call('DEL', HALTED)
  arm(now)
end

-- Whether anything in a halted lane may go as far as pauses are concerned.
local function may_go(lane)
  if paused(lane, 'cancel') then return false end
  return not paused(lane, 'entry') or call('EXISTS', exits_key(lane)) == 1
end

-- When this signal may go out under the rate limits; `now` if at once, and then its token is spent.
local function turn(rec)
  local rate, burst = unpack(B.rates and B.rates[rec.connector] or { B.connector_rate or 0, B.connector_burst })
  local reserved = any_reserved() and tonumber(call('HGET', RESERVED, rec.connector) or '')
  if rate == 0 and (B.rate or 0) == 0 and (B.retry_rate or 0) == 0 and not reserved then return now end
  return rates().turn(rec, rate, burst, reserved)
end

local function candidates_key(endpoint) return P .. 'candidates:' .. endpoint end

local opens = nil  -- when the circuit lets a probe out, as far as this call knows; false: it is closed

-- When the next probe of an open circuit may go out; nil if it is closed.
local function probe_at()
  if (B.circuit_lanes or 0) == 0 then return nil end
  if opens == nil then opens = tonumber(call('ZSCORE', CIRCUITS, B.endpoint) or '') or false end
  return opens or nil
end

local function close_circuit(endpoint)
  opens = nil
  call('ZREM', CIRCUITS, endpoint)
  call('DEL', P .. 'circuit:' .. endpoint, candidates_key(endpoint))
  circuits[#circuits + 1] = { endpoint = endpoint, open = false }
  release_all()
end

-- Learn from an attempt how the endpoint is. `health`: 'well' if it gave a proper answer, 'ill' if it could
-- not be reached or cannot work now, nil if the attempt tells nothing.
-- Counted are lanes, not failures: one account's trouble is not the endpoint's.
local function learn(lane, health)
  if (B.circuit_lanes or 0) == 0 then return end
  if health == 'well' then
    if known_well then return end
    known_well = true
    call('DEL', P .. 'struggling:' .. B.endpoint)
    if probe_at() then close_circuit(B.endpoint) end
    return
  end
  known_well = false
  circuit().learn(lane, health)
end
