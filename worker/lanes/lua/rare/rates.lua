-- Rate limits, where there are any. Tables: see `turn` in brakes.lua.

local TURNS_AHEAD = 2000         -- ms for which entries are given turns under a rate limit in advance
local TURN_LASTS = 1000          -- ms after which a turn that was not taken is over

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

-- `rate`, `burst`: of the connector; `reserved`: when its turn comes, if it was given one.
local function turn(rec, rate, burst, reserved)
  local lane = rec.connector
  local own, own_full
  if rate > 0 then
    own, own_full = wait_for(P .. 'bucket:' .. lane, rate, burst)
    if own > 0 then return now + math.ceil(own) end
  end
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
      some_reserved = true
      return now + wait
    end
  end
  if own then spend(P .. 'bucket:' .. lane, own_full) end
  return now
end

return { turn = turn }
