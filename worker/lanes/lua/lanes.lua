-- How signals join lanes, are dropped from them, and become the head that somebody may post.

-- Members sort by due time, then by order of admission; the action tells, without reading the record,
-- whether a cancel or close may drop it.
local function later_member(rec) return string.format('%016.0f', rec.seq) .. rec.action .. ' ' .. rec.id end
local function later_id(member) return string.match(member, ' (%S+)$') or '' end
local function later_action(member) return string.match(member, '^%d+(%a+) ') or '' end

local batch_from = math.huge  -- sequence numbers from here on were given out in this call
local swept = {}  -- lane -> what was dropped from its calendar in this call -> by which sequence number
local fresh = {}  -- lane -> what was delayed in this call and not yet looked at for being dropped

local quiet = {}  -- lane -> whether nothing of it is delayed, as far as this call knows

local function has_delayed(lane)
  if quiet[lane] == nil then quiet[lane] = call('ZCARD', later_key(lane)) == 0 end
  return not quiet[lane]
end

local function delay(rec)
  quiet[rec.connector] = false
  local added = fresh[rec.connector] or {}
  fresh[rec.connector] = added
  added[#added + 1] = later_member(rec)
  call('ZADD', later_key(rec.connector), rec.due, later_member(rec))
  tally(COUNTS, 'delayed', 1)
  note_calendar(rec.connector)
end

local function leave_calendar(rec)
  call('ZREM', later_key(rec.connector), later_member(rec))
  tally(COUNTS, 'delayed', -1)
end

-- A position sync says what the position shall be, not what to order: no cancel means it.
local NEVER_DROPPED = { cancel = true, cancelAll = true, positionSync = true }

-- What would be made pointless by being posted after a signal that overtook it: an open after its own close,
-- a position that was wanted before the one that is wanted now.
local OVERTAKES = { closeLong = 'openLong', closeShort = 'openShort', sell = 'buy', positionSync = 'positionSync' }

local function overtaking_mark(rec) return rec.due .. ' ' .. rec.seq .. ' ' .. rec.action .. ' ' .. rec.id end

-- What overtook in a pause is a line of its kind's mark: due, seq, action and id; the newest is the first, and
-- the one before it the second. All but the newest have left the lane.
local function marks(lane, kind)
  return string.match(call('HGET', overtaken_key(lane), kind) or '', '^([^\n]*)\n?([^\n]*)')
end

-- What never went out has made nothing pointless that it overtook.
local function forget_overtaking(rec)
  local kind = OVERTAKES[rec.action]
  if not kind then return end
  local newest, before = marks(rec.connector, kind)
  if newest ~= overtaking_mark(rec) then return end
  if before == '' then
    call('HDEL', overtaken_key(rec.connector), kind)
  else
    call('HSET', overtaken_key(rec.connector), kind, before)
  end
end

-- Take a signal that waits, delayed or due, out of its place for good.
local function call_off(rec, why)
  if rec.state == 'delayed' then
    leave_calendar(rec)
    finish(rec, 'cancelled', why)
    note_calendar(rec.connector)
    return
  end
  local was_head = call('LINDEX', lane_key(rec.connector), 0) == rec.id
  leave_lane(rec, not was_head)
  forget_overtaking(rec)
  finish(rec, 'cancelled', why)
  -- The lane may have been waiting for this head's retry; what follows need not.
  if was_head then give_back(rec.connector) end
end

-- Whether it waits and nothing of it can have reached the endpoint: otherwise it is more than waiting.
local function is_unsent(rec)
  return (rec.state == 'delayed' or rec.state == 'waiting') and (rec.unknowns or 0) == 0
end

-- Drop an order that still waits because `by` makes it pointless.
local function drop(rec, by)
  if NEVER_DROPPED[rec.action] or not is_unsent(rec) then return end
  call_off(rec, 'dropped by ' .. by.action .. ' ' .. by.id)
end

-- Whether `rec` was said before `by`. Signals that are held until all senders' have come count from when they
-- came, which their hold's end tells; others from their admission.
local function earlier(rec, by)
  if not rec then return false end
  if rec.held and by.held and rec.held ~= by.held then return rec.held < by.held end
  return rec.seq < by.seq
end

-- Drop what waits in the lane, from its end to the last `cancelAll` that was not delayed: that one has dropped all before it, but
-- for a head that was in flight then and may be waiting for a retry now.
local function drop_lane(by)
  local key = lane_key(by.connector)
  local head = call('LINDEX', key, 0)
  for at = call('LLEN', key) - 1, 0, -1 do
    local rec = read(call('LINDEX', key, at) or '')
    if rec and rec.action == 'cancelAll' and rec.due == rec.admitted then break end
    if earlier(rec, by) then drop(rec, by) end
  end
  local rec = head and read(head)
  if earlier(rec, by) then drop(rec, by) end
end

-- What a signal makes pointless as it joins its lane: `drops` names it (policy decides, see
-- worker/policy.py): 'order' the one with clientOrderId `target`, 'all' every order admitted before
-- it, an action: earlier signals of that action which are still in the calendar.
local function supersede(by)
  if not by.drops then return end
  if by.drops == 'order' then
    local claim = call('GET', claim_key('order', by.connector, by.target))
    local rec = claim and read(owner(claim))
    if rec then drop(rec, by) end
    return
  end
  if by.drops == 'all' then
    drop_lane(by)
  end
  -- A batch of closes must not look through a long calendar once for each: what came before the batch is gone
  -- after the first, and the next look at what was delayed since.
  local done = swept[by.connector] or {}
  swept[by.connector] = done
  local last = not by.held and done[by.drops] or -1  -- held ones do not join in the order of their seq
  if by.seq <= last then return end
  done[by.drops] = by.seq
  local key = later_key(by.connector)
  local members = last >= batch_from and fresh[by.connector] or call('ZRANGE', key, 0, -1)
  local kept = {}
  for _, member in ipairs(members or {}) do
    local action = later_action(member)
    if action == by.drops or (by.drops == 'all' and not NEVER_DROPPED[action]) then
      local rec = read(later_id(member))
      if earlier(rec, by) then drop(rec, by) end
    else
      kept[#kept + 1] = member
    end
  end
  if last >= batch_from then fresh[by.connector] = kept end
end

local function join(rec)
  supersede(rec)
  call('RPUSH', lane_key(rec.connector), rec.id)
  local exits = rec.class ~= 'entry' and call('RPUSH', exits_key(rec.connector), rec.id)
  if rec.state ~= 'waiting' then call('HSET', signal_key(rec.id), 'state', 'waiting') end
  tally(COUNTS, 'waiting', 1)
  if call('ZADD', LANES, 'NX', rec.due, rec.connector) == 1 then return ring(rec.connector) end
  -- A halted lane is looked at when this one becomes stale; and what a pause of entries does not hold must
  -- not wait behind them, be they halted or parked.
  if any_halted() and call('ZSCORE', HALTED, rec.connector) then
    if rec.expires then call('ZADD', HALTED, 'LT', rec.expires + 1, rec.connector) end
    if rec.class ~= 'entry' and not paused(rec.connector, rec.class) then ring(rec.connector) end
  elseif exits == 1
    and paused(rec.connector, 'entry') and not paused(rec.connector, rec.class)
    and call('HEXISTS', LEASES, rec.connector) == 0 then
    ring(rec.connector)
  end
end

-- Whether something has fallen due and is not in its lane yet.
local function is_behind(lane)
  return has_delayed(lane) and call('ZCOUNT', later_key(lane), '-inf', now) > 0
end

-- Move what has fallen due from the calendar to the end of its lane, in order of due time.
local function promote(lane)
  if budget <= 0 or not has_delayed(lane) then return end
  local due = call('ZRANGEBYSCORE', later_key(lane), '-inf', now, 'LIMIT', 0, STEPS)
  if #due == 0 then return end
  budget = budget - #due
  for _, member in ipairs(due) do
    -- One before it in this very loop may have dropped it.
    if call('ZREM', later_key(lane), member) == 1 then
      tally(COUNTS, 'delayed', -1)
      local rec = read(later_id(member))
      if rec and rec.state == 'delayed' then join(rec) end
    end
  end
  note_calendar(lane)
end

-- Too late to post it (again); but if it may have been taken before, that is what must be told.
local function expire(rec)
  leave_lane(rec)
  local doubt = (rec.unknowns or 0) > 0
  finish(rec, doubt and 'unknown' or 'expired', 'waited ' .. (now - rec.due) .. ' ms')
end

-- Remember what overtook: entries of that kind that stand before it are dropped when their turn comes.
local function note_overtaking(rec)
  local kind = OVERTAKES[rec.action]
  if kind and (rec.class == 'full' or rec.action == 'positionSync') then
    local newest = marks(rec.connector, kind)
    if newest == overtaking_mark(rec) then return end
    call('HSET', overtaken_key(rec.connector), kind, overtaking_mark(rec) .. (newest ~= '' and '\n' .. newest or ''))
  end
end

-- By what an entry was overtaken, if by anything.
local function overtaken_by(rec)
  if rec.class ~= 'entry' or (rec.unknowns or 0) > 0 then return nil end
  local due, seq, by = string.match(marks(rec.connector, rec.action), '^(%d+) (%d+) (.*)$')
  due, seq = tonumber(due), tonumber(seq)
  if due and (rec.due < due or (rec.due == due and rec.seq < seq)) then return by end
end

-- Bring the first signal of a lane that is no entry to its front; nil if there is none.
local function overtake(lane)
  for _ = 1, STEPS do
    local id = call('LINDEX', exits_key(lane), 0)
    if not id then return nil end
    local rec = read(id)
    if rec and rec.state == 'waiting' and rec.connector == lane and rec.class ~= 'entry'
      and call('LREM', lane_key(lane), 1, id) == 1 then
      call('LPUSH', lane_key(lane), id)
      if rec.expires and now > rec.expires then
        expire(rec)
      else
        note_overtaking(rec)
        return rec
      end
    else
      call('LPOP', exits_key(lane))  -- somebody else has deleted or spoilt it
    end
  end
end

-- Halt a lane whose head is held, and end what has become stale near its front.
local function halt_paused(lane)
  local soonest, waiting = FAR, 0
  for _, id in ipairs(call('LRANGE', lane_key(lane), 0, LOOKED_AT - 1)) do
    local rec = read(id)
    if rec and rec.state == 'waiting' and rec.expires and now > rec.expires then
      expire(rec)
    else
      waiting = waiting + 1
      if rec and rec.expires then soonest = math.min(soonest, rec.expires + 1) end
    end
  end
  if waiting == 0 and call('EXISTS', lane_key(lane)) == 0 then return idle(lane) end
  halt(lane, waiting == 0 and now or math.max(soonest, now + STALE_EVERY))
end

local function hand_over(rec, lane, token, orphan)
  call('ZADD', LANES, rec.due, lane)
  lease(lane, token)
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
  if probing and (now < probing or yields_probe(lane)) then
    halt_for_circuit(lane, rec.expires and rec.expires + 1 or FAR)
    return true
  end
  local at = turn(rec)
  if at > now then
    tally(TOTALS, 'throttled', 1)
    park(lane, rec.expires and math.min(at, rec.expires + 1) or at)
    return true
  end
  if probing then probe(lane) end
  return false
end

-- Lease a lane and hand out its head, noted as `sending` before anything can go out.
-- orphan: the head was handed to somebody who never told how it ended; it must be judged, not sent.
local function take(lane, token)
  promote(lane)
  local key = lane_key(lane)
  for _ = 1, STEPS do
    local id = call('LINDEX', key, 0)
    if not id then return idle(lane) end
    local rec = read(id)
    if rec == nil then  -- deleted by somebody else: there is nothing left to post
      call('LPOP', key)
      tally(COUNTS, 'waiting', -1)
      tally(TOTALS, 'vanished', 1)
    elseif rec.connector ~= lane or (rec.state ~= 'waiting' and rec.state ~= 'sending') then
      -- Somebody else wrote there, so nobody knows what became of it. It must say what it is from now on,
      -- or it could not be written down how it ended, and would be handed out again and again.
      rec.connector, rec.state = lane, 'sending'
      call('HSET', signal_key(id), 'connector', lane, 'state', 'sending')
      return hand_over(rec, lane, token, true)
    elseif rec.state == 'sending' then
      return hand_over(rec, lane, token, rec.token ~= token)
    elseif rec.expires and now > rec.expires then
      expire(rec)
    elseif paused(lane, rec.class) then
      if paused(lane, 'cancel') or not overtake(lane) then return halt_paused(lane) end
    elseif overtaken_by(rec) then
      leave_lane(rec)
      finish(rec, 'cancelled', 'dropped by ' .. overtaken_by(rec))
    elseif held_back(rec, lane) then
      return
    else
      rec.attempts = rec.attempts + 1
      call('HSET', signal_key(id), 'state', 'sending', 'token', token, 'attempts', rec.attempts, 'taken', now)
      return hand_over(rec, lane, token, false)
    end
  end
  give_back(lane)
end
