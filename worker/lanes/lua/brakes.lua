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
local TURNS_AHEAD = 2000         -- ms for which entries are given turns under a rate limit in advance
local TURN_LASTS = 1000          -- ms after which a turn that was not taken is over
local B = A.brakes or {}

local scopes = nil
local known_well = false

-- Whether a person has said that this signal shall wait.
local function paused(lane, class)
  if scopes == nil then
    scopes = call('HLEN', PAUSES) > 0 and call('HMGET', PAUSES, 'all', 'entries')
  end
  if not scopes then return false end
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

-- Generic cell rate algorithm: the bucket's key holds the time at which it will be full again.
local function wait_for(bucket, rate, burst, ahead)
  local interval = 1000 / rate
  local full = math.max(tonumber(call('GET', bucket) or now) or now, now)
  -- Whoever filled it may have known another rate, or another time.
  full = math.min(full, now + (burst + (ahead or 0)) * interval)
  return full - now - (burst - 1) * interval, full + interval
end

local function spend(bucket, full)
  call('SET', bucket, string.format('%.3f', full), 'PX', math.ceil(full - now) + 1)
end

-- When this signal may go out under the rate limits; `now` if at once, and then its token is spent.
local function turn(rec)
  local lane = rec.connector
  local own, own_full
  local rate, burst = unpack(B.rates and B.rates[lane] or { B.connector_rate or 0, B.connector_burst })
  if rate > 0 then
    own, own_full = wait_for(P .. 'bucket:' .. lane, rate, burst)
    if own > 0 then return now + math.ceil(own) end
  end
  local reserved = tonumber(call('HGET', RESERVED, lane) or '')
  if reserved and reserved > now then return reserved end
  if reserved then call('HDEL', RESERVED, lane) end
  local wait = 0
  if not reserved or now - reserved > TURN_LASTS then
    local buckets = {}
    if (B.rate or 0) > 0 then buckets[#buckets + 1] = { P .. 'bucket', B.rate, B.burst } end
    if (B.retry_rate or 0) > 0 and rec.attempts > 0 then
      buckets[#buckets + 1] = { P .. 'retries', B.retry_rate, math.max(1, B.retry_rate) }
    end
    for _, bucket in ipairs(buckets) do
      bucket.wait, bucket.full = wait_for(bucket[1], bucket[2], bucket[3], call('HLEN', RESERVED) + 1)
      wait = math.max(wait, math.ceil(bucket.wait))
    end
    -- Further ahead entries get no turns, for they may be stale by then; they come again spread over a while,
    -- not all at once.
    if wait > TURNS_AHEAD and rec.class == 'entry' then return now + TURNS_AHEAD + rec.seq * 7919 % TURNS_AHEAD end
    for _, bucket in ipairs(buckets) do spend(bucket[1], bucket.full) end
    if wait > 0 then
      call('HSET', RESERVED, lane, now + wait)
      return now + wait
    end
  end
  if own then spend(P .. 'bucket:' .. lane, own_full) end
  return now
end

local function circuit_key() return P .. 'circuit:' .. B.endpoint end
local function struggling_key() return P .. 'struggling:' .. B.endpoint end
local function candidates_key(endpoint) return P .. 'candidates:' .. endpoint end

-- When the next probe of an open circuit may go out; nil if it is closed.
local function probe_at()
  if (B.circuit_lanes or 0) == 0 then return nil end
  return tonumber(call('ZSCORE', CIRCUITS, B.endpoint) or '')
end

-- Who failed lately leaves the probe to those who did not: an account's own trouble would keep it to itself.
local function yields_probe(lane)
  return call('SISMEMBER', struggling_key(), lane) == 1 and call('SCARD', candidates_key(B.endpoint)) > 0
end

local function halt_for_circuit(lane, at)
  if call('SISMEMBER', struggling_key(), lane) == 0 then
    call('SADD', candidates_key(B.endpoint), lane)
    call('PEXPIRE', candidates_key(B.endpoint), 3600000)
  end
  halt(lane, at)
end

-- This lane's next attempt is the probe. If it never tells, there is another after its lease.
local function probe(lane)
  call('ZADD', CIRCUITS, now + A.lease, B.endpoint)
  call('HSET', circuit_key(), 'probe', lane)
  call('SREM', candidates_key(B.endpoint), lane)
end

local function open_circuit(failures)
  local pause = math.min(B.circuit_cap, B.circuit_pause * 2 ^ math.min(failures, 20))
  call('ZADD', CIRCUITS, now + pause, B.endpoint)
  call('HSET', circuit_key(), 'failures', failures + 1)
  call('HSETNX', circuit_key(), 'since', now)
  call('HDEL', circuit_key(), 'probe')
  call('PEXPIRE', circuit_key(), 3600000)
  arm(now + pause)
end

local function close_circuit(endpoint)
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
    call('DEL', struggling_key())
    if probe_at() then close_circuit(B.endpoint) end
    return
  end
  known_well = false
  local open = probe_at() ~= nil
  local probing = open and call('HGET', circuit_key(), 'probe') == lane
  if health == 'ill' then
    call('SADD', struggling_key(), lane)
    call('PEXPIRE', struggling_key(), 60000)
    if probing then return open_circuit(tonumber(call('HGET', circuit_key(), 'failures')) or 0) end
    if not open and call('SCARD', struggling_key()) >= B.circuit_lanes then
      circuits[#circuits + 1] = { endpoint = B.endpoint, open = true }
      open_circuit(0)
    end
  elseif probing then
    call('HDEL', circuit_key(), 'probe')
    call('ZADD', CIRCUITS, now, B.endpoint)
    arm(now)
  end
end
