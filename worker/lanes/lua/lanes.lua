-- How signals join lanes, and become the head that somebody may post.

local BEHIND = 100  -- lanes with something due that one look at the calendar tells of

local batch_from = math.huge  -- sequence numbers from here on were given out in this call
local fresh = {}  -- lane -> what was delayed in this call and not yet looked at for being dropped

local some_delayed = nil

-- How many signals of a lane are delayed.
local function delayed(lane)
  if some_delayed == nil then some_delayed = call('ZCARD', CALENDAR) > 0 end
  return some_delayed and call('ZCARD', later_key(lane)) or 0
end

-- Too late to post it (again); but if it may have been taken before, that is what must be told.
local function expire(rec)
  leave_lane(rec)
  local doubt = (rec.unknowns or 0) > 0
  finish(rec, doubt and 'unknown' or 'expired', 'waited ' .. (now - rec.due) .. ' ms', true)
end

-- What a lane that had work already must know of a signal that has joined it. `exits`: how many of its signals are no
-- entries by now, if this one is none.
local function note_joined(lane, class, expires, exits)
  -- A halted lane is looked at when this one becomes stale; and what a pause of entries does not hold must
  -- not wait behind them, be they halted or parked.
  if any_halted() and call('ZSCORE', HALTED, lane) then
    if expires then call('ZADD', HALTED, 'LT', expires + 1, lane) end
    if class ~= 'entry' and not paused(lane, class) then ring(lane) end
  elseif exits == 1 and paused(lane, 'entry') and not paused(lane, class) and call('HEXISTS', LEASES, lane) == 0 then
    ring(lane)
  end
end

local function join(rec)
  if rec.drops then dropping().supersede(rec) end
  call('RPUSH', lane_key(rec.connector), rec.id)
  local exits = rec.class ~= 'entry' and call('RPUSH', exits_key(rec.connector), rec.id)
  if rec.state ~= 'waiting' then call('HSET', signal_key(rec.id), 'state', 'waiting') end
  tally(COUNTS, 'waiting', 1)
  if call('ZADD', LANES, 'NX', rec.due, rec.connector) == 1 then return ring_new(rec.connector) end
  note_joined(rec.connector, rec.class, rec.expires, exits)
end

local behind, many_behind = nil, false

-- Whether something has fallen due and is not in its lane yet. Nearly never: the calendar is asked once for all.
local function is_behind(lane)
  if behind == nil then
    behind = {}
    local found = call('ZRANGEBYSCORE', CALENDAR, '-inf', now, 'LIMIT', 0, BEHIND)
    for _, late in ipairs(found) do behind[late] = true end
    many_behind = #found == BEHIND
  end
  if behind[lane] == nil and many_behind then behind[lane] = call('ZCOUNT', later_key(lane), '-inf', now) > 0 end
  return behind[lane]
end

-- Move what has fallen due from the calendar to the end of its lane, in order of due time.
local function promote(lane)
  if budget <= 0 or not is_behind(lane) then return end
  local due = call('ZRANGEBYSCORE', later_key(lane), '-inf', now, 'LIMIT', 0, STEPS)
  behind[lane] = #due == STEPS
  budget = budget - #due
  for _, member in ipairs(due) do
    -- One before it in this very loop may have dropped it.
    if call('ZREM', later_key(lane), member) == 1 then
      tally(COUNTS, 'delayed', -1)
      local rec = read(calendar().id_of(member))
      if rec and rec.state == 'delayed' then join(rec) end
    end
  end
  calendar().note(lane)
end

-- By what an entry was overtaken in a pause, if by anything.
local function overtaken_by(rec)
  if rec.class ~= 'entry' or (rec.unknowns or 0) > 0 then return nil end
  local mark = call('HGET', overtaken_key(rec.connector), rec.action)
  if not mark then return nil end
  local due, seq, by = string.match(mark, '^(%d+) (%d+) ([^\n]*)')
  due, seq = tonumber(due), tonumber(seq)
  if due and (rec.due < due or (rec.due == due and rec.seq < seq)) then return by end
end

local function hand_over(rec, lane, token, orphan, holds)
  call('ZADD', LANES, rec.due, lane)
  lease(lane, token, holds)
  local body = redis.pcall('GET', body_key(rec.id))
  return { lane = lane, id = rec.id, token = token, body = type(body) == 'string' and body or '',
    action = rec.action, class = rec.class, attempt = rec.attempts, unknowns = rec.unknowns or 0,
    admitted = rec.admitted, due = rec.due, expires = rec.expires, orphan = orphan,
    taken = orphan and rec.taken or nil,
    trace = A.trace and call('HGET', signal_key(rec.id), 'trace') or nil }
end

-- Whether the head, which no person holds back, is to wait for the endpoint or for its turn.
local function held_back(rec, lane)
  local probing = probe_at()
  if probing and (now < probing or circuit().yields_probe(lane)) then
    circuit().hold(lane, rec.expires and rec.expires + 1 or FAR)
    return true
  end
  local at = turn(rec)
  if at > now then
    tally(TOTALS, 'throttled', 1)
    park(lane, rec.expires and math.min(at, rec.expires + 1) or at)
    return true
  end
  if probing then circuit().probe(lane) end
  return false
end

-- What handing out a head needs of its record.
local HEAD = { 'connector', 'action', 'class', 'state', 'seq', 'admitted', 'due', 'expires', 'attempts', 'unknowns',
  'token', 'taken' }

-- Lease a lane and hand out its head, noted as `sending` before anything can go out.
-- holds: whether the lane is leased under this very token already.
-- orphan: the head was handed to somebody who never told how it ended; it must be judged, not sent.
local function take(lane, token, holds)
  promote(lane)
  local key = lane_key(lane)
  for _ = 1, STEPS do
    local id = call('LINDEX', key, 0)
    if not id then return idle(lane) end
    local rec = read_some(id, HEAD)
    if rec == nil then  -- deleted by somebody else: there is nothing left to post
      call('LPOP', key)
      tally(COUNTS, 'waiting', -1)
      tally(TOTALS, 'vanished', 1)
    elseif rec.connector ~= lane or (rec.state ~= 'waiting' and rec.state ~= 'sending') then
      -- Somebody else wrote there, so nobody knows what became of it. It must say what it is from now on,
      -- or it could not be written down how it ended, and would be handed out again and again.
      rec.connector, rec.state = lane, 'sending'
      call('HSET', signal_key(id), 'connector', lane, 'state', 'sending')
      return hand_over(rec, lane, token, true, holds)
    elseif rec.state == 'sending' then
      return hand_over(rec, lane, token, rec.token ~= token, holds)
    elseif rec.expires and now > rec.expires then
      expire(rec)
    elseif paused(lane, rec.class) then
      if paused(lane, 'cancel') or not overtaking().overtake(lane) then return overtaking().halt(lane) end
    elseif overtaken_by(rec) then
      leave_lane(rec)
      finish(rec, 'cancelled', 'dropped by ' .. overtaken_by(rec), true)
    elseif held_back(rec, lane) then
      return
    else
      rec.attempts = rec.attempts + 1
      call('HSET', signal_key(id), 'state', 'sending', 'token', token, 'attempts', rec.attempts, 'taken', now)
      return hand_over(rec, lane, token, false, holds)
    end
  end
  give_back(lane)
end
