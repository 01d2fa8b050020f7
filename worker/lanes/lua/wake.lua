-- Do what is due: move delayed signals into their lanes, ring lanes whose time has come.
-- Idempotent: twice, late or never is repaired by the next call.
--
-- arguments  limit: how many lanes of each kind per call; horizon, slot, keep, stream
--            worker: only in the sweep of a worker. {name, lasts: ms for which it counts as alive}
--            repair: only in the sweep. {every: ms during which no other sweep is needed, patience: ms after which a ring that nobody answered counts
--            as lost, beyond the time that rings wait in their queue; queue: its name; crowd: its length from which
--            lanes are taken to be waiting their turn if its messages cannot be read; letters_kept: ms, letters_most: how many dead letters are
--            kept, and for how long}
-- items      {more, expired, lost, paused?}: whether to call again at once, leases that ran out, rings repaired;
--            in the sweep, what is paused: {all, entries: whether; scopes: how many in all}

local FORGOTTEN = 120000  -- ms without a probe after which a circuit is closed
local CANDIDATES = 50     -- lanes that are looked at for a probe
local OLDEST = 3          -- messages in the ring queue that are looked at: lanes of one may all have been served
local HEALED = 20         -- lanes of a kind that one sweep looks at for no reason but that they may be stuck

local more, expired, lost = false, 0, 0

local paused_now = A.repair and {
  all = call('HEXISTS', PAUSES, 'all') == 1,
  entries = call('HEXISTS', PAUSES, 'entries') == 1,
  scopes = call('HLEN', PAUSES),
} or nil

if A.worker then
  call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', now)
  call('ZADD', P .. 'workers', now + A.worker.lasts, A.worker.name)
end

-- Every worker sweeps; one per interval is enough, and if it dies the next interval has another.
if A.repair and not call('SET', P .. 'sweep', now, 'NX', 'PX', A.repair.every) then
  return answer({ { more = false, expired = 0, lost = 0, paused = paused_now } })
end

local function bury(id)
  local rec = read(id)
  if rec == nil then
    call('ZREM', DEAD, id)
    call('ZREM', UNKNOWN, id)
    return
  end
  local ended = rec.outcome or '?'
  leave_dead(rec)
  tally(TOTALS, ended, 1)  -- it goes, but that is how it ended
  for _, claim in ipairs(claims(rec)) do
    local held = call('GET', claim)
    if held and owner(held) == id then call('DEL', claim) end
  end
  call('DEL', signal_key(id), body_key(id))
  tally(TOTALS, 'buried', 1)
end

-- When the lanes were rung whose messages have waited longest; nil if that is not to be read out of them. Messages
-- are taken in their order: what was rung after that waits its turn, what was rung long before has lost it.
local function waiting_since(queue)
  local since = nil
  for _, message in ipairs(call('LRANGE', queue, -OLDEST, -1)) do
    local readable, body = pcall(function() return cjson.decode(cjson.decode(message).body) end)
    local lanes = readable and type(body) == 'table' and type(body[1]) == 'table' and body[1][1]
    for _, lane in ipairs(type(lanes) == 'table' and lanes or {}) do
      local rung = type(lane) == 'string' and tonumber(call('ZSCORE', RUNG, lane) or '')
      if rung then since = math.min(since or rung, rung) end
    end
  end
  return since
end

local due = call('ZRANGEBYSCORE', CALENDAR, '-inf', now, 'LIMIT', 0, A.limit)
behind, many_behind = {}, #due == A.limit
for _, lane in ipairs(due) do behind[lane] = true end
for _, lane in ipairs(due) do promote(lane) end
more = #due == A.limit or budget <= 0

local timed = call('ZRANGEBYSCORE', WAKEUPS, '-inf', now, 'LIMIT', 0, A.limit)
for _, lane in ipairs(timed) do
  if call('HEXISTS', LEASES, lane) == 1 then expired = expired + 1 end
  ring(lane)
end
more = more or #timed == A.limit

call('ZREMRANGEBYSCORE', ARMED, '-inf', now)

local stale = call('ZRANGEBYSCORE', HALTED, '-inf', now, 'LIMIT', 0, A.limit)
for _, lane in ipairs(stale) do ring(lane) end
more = more or #stale == A.limit

-- Of an endpoint that nobody has tried for a while nothing is known, or it is not used any more.
for _, endpoint in ipairs(call('ZRANGEBYSCORE', CIRCUITS, '-inf', now - FORGOTTEN)) do
  close_circuit(endpoint)
  more = true
end

-- An open circuit lets one lane probe: one that was held back by it, and that nothing else holds.
for _, endpoint in ipairs(call('ZRANGEBYSCORE', CIRCUITS, '-inf', now)) do
  local candidates, found = candidates_key(endpoint), false
  for _, lane in ipairs(call('SRANDMEMBER', candidates, CANDIDATES)) do
    call('SREM', candidates, lane)  -- it comes back if another is faster
    found = call('ZSCORE', HALTED, lane) and may_go(lane)
    if found then
      ring(lane)
      break
    end
  end
  local other = not found and call('ZRANDMEMBER', HALTED)
  if other and may_go(other) then ring(other) end
end

if A.repair then
  local queue, patience, most, since = P .. A.repair.queue, A.repair.patience, A.limit, now
  local length = call('LLEN', queue)
  if length > 0 then since = waiting_since(queue) end
  if not since then
    -- Nobody knows who waits behind these messages. In a crowd nearly all do, but a ring that is lost must not
    -- stay so for as long as the crowd lasts: a few of the longest silent are repeated, too few to add to it.
    local crowded = length >= A.repair.crowd
    since, patience, most = now, patience * (crowded and 10 or 1), crowded and math.ceil(A.limit / 10) or A.limit
  end
  local silent = call('ZRANGEBYSCORE', RUNG, '-inf', since - patience, 'LIMIT', 0, most)
  for _, lane in ipairs(silent) do
    -- What somebody else has written there although the lane is leased must not end its lease.
    if tonumber(call('ZSCORE', WAKEUPS, lane) or 0) > now then call('ZREM', RUNG, lane) else ring(lane) end
  end
  lost = #silent
  -- No script leaves a lane with work in no index, or halted for no reason; should anything else have, it is
  -- found by and by.
  for _, lane in ipairs(call('ZRANDMEMBER', HALTED, HEALED)) do
    if may_go(lane) then ring(lane) end
  end
  for _, lane in ipairs(call('ZRANDMEMBER', LANES, HEALED)) do
    if not call('ZSCORE', RUNG, lane) and not call('ZSCORE', WAKEUPS, lane)
      and not call('ZSCORE', HALTED, lane) then ring(lane) end
  end

  -- Dead letters are kept for a person, but not for ever: the oldest go first.
  local over = math.max(0, call('ZCARD', DEAD) - A.repair.letters_most)
  local old = call('ZRANGEBYSCORE', DEAD, '-inf', now - A.repair.letters_kept, 'LIMIT', 0, A.limit)
  if over > #old then old = call('ZRANGE', DEAD, 0, math.min(over, A.limit) - 1) end
  for _, id in ipairs(old) do bury(id) end

  -- Far-off times that have come within the horizon: one countdown per slot is enough.
  local at = now
  while at do
    local soon = call('ZRANGEBYSCORE', CALENDAR, '(' .. at, now + A.horizon, 'WITHSCORES', 'LIMIT', 0, 1)
    if soon[2] then arm(tonumber(soon[2])) end
    at = soon[2] and math.ceil(soon[2] / A.slot) * A.slot
  end
end

return answer({ { more = more, expired = expired, lost = lost, paused = paused_now } })
