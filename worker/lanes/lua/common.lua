-- The rules every script of this folder shares; the loader puts this text in front of each.
--
-- ARGV[1]  prefix of all keys (docs/keys.md lists them)
-- ARGV[2]  the script's arguments as JSON
-- answer   JSON: {now, rings, slots, ended, items}
--            rings  lanes that somebody must ring now (a Celery `signals.drain`)
--            slots  times in ms at which somebody must wake the calendar (`signals.wake`)
--            ended  signals that reached their outcome in this call
--            items  one answer per argument, as each script documents
--
-- Time is always the server's, in ms: one clock for all producers and workers.
-- Every script gives the same answer when the same caller asks again after a lost reply.

local call = redis.call
local P = ARGV[1]
local A = cjson.decode(ARGV[2])
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A lane with work is in LANES and in exactly one of RUNG and WAKEUPS. Whoever finds its wake-up
-- time passed rings it; whoever finds it in either leaves it alone.
local LANES = P .. 'lanes'       -- zset: lane -> due time of its head
local RUNG = P .. 'rung'         -- zset: lane -> when it was rung and not yet checked out
local WAKEUPS = P .. 'wakeups'   -- zset: lane -> lease end or retry time
local LEASES = P .. 'leases'     -- hash: lane -> token of its holder
local CALENDAR = P .. 'calendar' -- zset: connector -> due time of its next delayed signal
local ARMED = P .. 'armed'       -- zset: slot -> slot, countdown tasks that are on their way
local COUNTS = P .. 'counts'     -- hash: how many signals are where, now
local TOTALS = P .. 'totals'     -- hash: how many ended how, ever
local DEAD = P .. 'dead'         -- zset: id -> when it became a dead letter
local OUTCOMES = P .. 'outcomes' -- stream: outcomes as they happen, bounded

-- dead: kept for a person to look at. frees: it is certain that no order was placed, so the
-- sender may use the id again.
local RULES = {
  accepted = { dead = false, frees = false },
  cancelled = { dead = false, frees = true },
  rejected = { dead = true, frees = true },
  expired = { dead = true, frees = true },
  unsent = { dead = true, frees = true },
  invalid = { dead = true, frees = true },
  unknown = { dead = true, frees = false },
  discarded = { dead = false, frees = true },  -- by a person, who takes it that no order exists
}

local HISTORY_LINES = 10  -- attempts remembered per signal
local STEPS = 200         -- signals one lane may promote or expire per call: bounds the script's time
local budget = 1000       -- signals all lanes may promote per call

local rings, rung_now, slots, ended = {}, {}, {}, {}

local function answer(items)
  local open = {}
  for _, lane in ipairs(rings) do  -- without those that were leased after all
    if rung_now[lane] then open[#open + 1] = lane end
    rung_now[lane] = nil
  end
  return cjson.encode({ now = now, rings = open, slots = slots, ended = ended, items = items })
end

local function lane_key(lane) return P .. 'lane:' .. lane end
local function later_key(lane) return P .. 'later:' .. lane end
local function signal_key(id) return P .. 'signal:' .. id end
local function body_key(id) return P .. 'body:' .. id end

-- The length keeps 'a' + 'b:c' apart from 'a:b' + 'c', whatever a connector is called.
local function claim_key(kind, connector, name)
  return P .. 'claim:' .. kind .. ':' .. #connector .. ':' .. connector .. ':' .. name
end

local NUMBERS = { seq = true, admitted = true, due = true, expires = true, window = true,
  attempts = true, unknowns = true }
local FIELDS = { 'connector', 'action', 'class', 'state', 'seq', 'admitted', 'due', 'expires', 'window',
  'order', 'key', 'print', 'drops', 'target', 'attempts', 'unknowns', 'token', 'outcome', 'history' }

-- What a record that somebody has spoilt is taken for: an entry that may be on its way, so that it is judged
-- and not sent, and no script fails half-way through a batch of other people's signals.
local SPOILT = { action = '?', class = 'entry', state = 'sending', seq = 0, admitted = 0, due = 0, window = 0,
  attempts = 0 }

-- And what a number is taken for that is there but is none: stale rather than for ever, in doubt rather than not.
local UNREADABLE = { expires = 0, unknowns = 1 }
local MOST = 1e15  -- JSON knows no infinity, and no time or count of ours is so large

local function whole(text)
  local value = tonumber(text)
  if value and value >= -MOST and value <= MOST then return math.floor(value) end
end

-- A record of this id; nil if there is none, or something that is not even a hash.
local function read(id)
  local values = redis.pcall('HMGET', signal_key(id), unpack(FIELDS))
  if values.err or not values[1] then return nil end
  local rec = { id = id }
  for i, field in ipairs(FIELDS) do
    local value = values[i] or nil
    if value and NUMBERS[field] then value = whole(value) or UNREADABLE[field] end
    rec[field] = value or SPOILT[field]
  end
  return rec
end

local function claims(rec)
  local keys = {}
  if rec.order then keys[#keys + 1] = claim_key('order', rec.connector, rec.order) end
  if rec.key then keys[#keys + 1] = claim_key('key', rec.connector, rec.key) end
  return keys
end

local function owner(claim)
  return string.match(claim, '^(%S*)')
end

local function remember(rec, note)
  if not note or note == '' then return end
  local lines = {}
  for line in string.gmatch(rec.history or '', '[^\n]+') do lines[#lines + 1] = line end
  lines[#lines + 1] = note
  while #lines > HISTORY_LINES do table.remove(lines, 1) end
  rec.history = table.concat(lines, '\n')
  call('HSET', signal_key(rec.id), 'history', rec.history)
end

-- Give a signal its outcome. The caller has taken it out of its lane or out of the calendar.
local function finish(rec, outcome, why)
  local rule = RULES[outcome]
  for _, claim in ipairs(claims(rec)) do
    local held = call('GET', claim)
    if held and owner(held) == rec.id then
      if rule.frees then
        call('DEL', claim)
      elseif not rule.dead then
        call('PEXPIREAT', claim, rec.admitted + rec.window)
      end
    end
  end
  local key = signal_key(rec.id)
  call('HSET', key, 'state', rule.dead and 'dead' or 'finished', 'outcome', outcome, 'why', why, 'ended', now)
  if rule.dead then
    call('ZADD', DEAD, now, rec.id)
    call('HINCRBY', COUNTS, 'dead:' .. outcome, 1)
  else
    call('DEL', body_key(rec.id))
    call('PEXPIRE', key, A.keep)
  end
  call('HINCRBY', TOTALS, outcome, 1)
  call('XADD', OUTCOMES, 'MAXLEN', '~', A.stream, '*', 'id', rec.id, 'connector', rec.connector,
    'action', rec.action, 'outcome', outcome, 'why', why, 'attempts', rec.attempts or 0,
    'admitted', rec.admitted, 'due', rec.due)
  ended[#ended + 1] = { id = rec.id, lane = rec.connector, action = rec.action, class = rec.class,
    outcome = outcome, why = why, attempts = rec.attempts or 0, admitted = rec.admitted, due = rec.due }
end

-- A dead letter gets another fate; totals count the last one.
local function leave_dead(rec)
  call('ZREM', DEAD, rec.id)
  call('HINCRBY', COUNTS, 'dead:' .. (rec.outcome or '?'), -1)
  call('HINCRBY', TOTALS, rec.outcome or '?', -1)
end

local function ring(lane)
  call('ZREM', WAKEUPS, lane)
  call('ZADD', RUNG, now, lane)
  if not rung_now[lane] then
    rung_now[lane] = true
    rings[#rings + 1] = lane
  end
end

local function lease(lane, token)
  rung_now[lane] = nil
  call('HSET', LEASES, lane, token)
  call('ZREM', RUNG, lane)
  call('ZADD', WAKEUPS, now + A.lease, lane)
end

local function idle(lane)
  call('ZREM', LANES, lane)
  call('ZREM', RUNG, lane)
  call('ZREM', WAKEUPS, lane)
  call('HDEL', LEASES, lane)
end

-- Let go of a lane: rung again if it still has work.
local function give_back(lane)
  local head = call('LINDEX', lane_key(lane), 0)
  if not head then return idle(lane) end
  call('HDEL', LEASES, lane)
  call('ZADD', LANES, whole(redis.pcall('HGET', signal_key(head), 'due')) or now, lane)
  ring(lane)
end

local function leave_lane(rec, from_the_end)
  call('LREM', lane_key(rec.connector), from_the_end and -1 or 1, rec.id)
  call('HINCRBY', COUNTS, 'waiting', -1)
end

-- One countdown task per slot, however many signals fall due in it, and only within the horizon:
-- the sweep arms what is further off when it comes near.
local function arm(at)
  if at - now > A.horizon then return end
  local slot = math.ceil(at / A.slot) * A.slot
  if call('ZADD', ARMED, 'NX', slot, slot) == 1 then slots[#slots + 1] = slot end
end

-- Let go of a lane until its head may be tried again.
local function park(lane, at)
  call('HDEL', LEASES, lane)
  call('ZREM', RUNG, lane)  -- it is there if the lease had run out and nobody has come yet
  call('ZADD', WAKEUPS, at, lane)
  arm(at)
end

-- Say once more what a caller may not have heard: that a lane is to be rung, or when it is to be woken.
local function tell_again(lane)
  local at = call('ZSCORE', WAKEUPS, lane)
  if call('ZSCORE', RUNG, lane) then
    ring(lane)
  elseif at and call('HEXISTS', LEASES, lane) == 0 then
    slots[#slots + 1] = math.ceil(tonumber(at) / A.slot) * A.slot
  end
end

local function note_calendar(lane)
  local first = call('ZRANGE', later_key(lane), 0, 0, 'WITHSCORES')
  if first[2] then
    call('ZADD', CALENDAR, first[2], lane)
    arm(tonumber(first[2]))
  else
    call('ZREM', CALENDAR, lane)
  end
end

-- Members sort by due time, then by order of admission; the action tells, without reading the record,
-- whether a cancel or close may drop it.
local function later_member(rec) return string.format('%016.0f', rec.seq) .. rec.action .. ' ' .. rec.id end
local function later_id(member) return string.match(member, ' (%S+)$') or '' end
local function later_action(member) return string.match(member, '^%d+(%a+) ') or '' end

local function delay(rec)
  call('ZADD', later_key(rec.connector), rec.due, later_member(rec))
  call('HINCRBY', COUNTS, 'delayed', 1)
  note_calendar(rec.connector)
end

local function leave_calendar(rec)
  call('ZREM', later_key(rec.connector), later_member(rec))
  call('HINCRBY', COUNTS, 'delayed', -1)
end

-- A position sync says what the position shall be, not what to order: no cancel means it.
local NEVER_DROPPED = { cancel = true, cancelAll = true, positionSync = true }

-- Drop an order that still waits because `by` makes it pointless. One that may have reached the
-- endpoint is more than waiting: it keeps its place.
local function drop(rec, by)
  if NEVER_DROPPED[rec.action] or (rec.unknowns or 0) > 0 then return end
  if rec.state == 'delayed' then
    leave_calendar(rec)
    finish(rec, 'cancelled', 'dropped by ' .. by.action .. ' ' .. by.id)
    note_calendar(rec.connector)
  elseif rec.state == 'waiting' then
    local was_head = call('LINDEX', lane_key(rec.connector), 0) == rec.id
    leave_lane(rec, not was_head)
    finish(rec, 'cancelled', 'dropped by ' .. by.action .. ' ' .. by.id)
    -- The lane may have been waiting for this head's retry; what follows need not.
    if was_head then give_back(rec.connector) end
  end
end

local function earlier(rec, by) return rec and rec.seq < by.seq end

-- Drop what waits in the lane, from its end to the last `cancelAll`: that one has dropped all before it, but
-- for a head that was in flight then and may be waiting for a retry now.
local function drop_lane(by)
  local key = lane_key(by.connector)
  local head = call('LINDEX', key, 0)
  for at = call('LLEN', key) - 1, 0, -1 do
    local rec = read(call('LINDEX', key, at) or '')
    if rec and rec.action == 'cancelAll' then break end
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
  for _, member in ipairs(call('ZRANGE', later_key(by.connector), 0, -1)) do
    local action = later_action(member)
    if action == by.drops or (by.drops == 'all' and not NEVER_DROPPED[action]) then
      local rec = read(later_id(member))
      if earlier(rec, by) then drop(rec, by) end
    end
  end
end

local function join(rec)
  supersede(rec)
  call('RPUSH', lane_key(rec.connector), rec.id)
  call('HSET', signal_key(rec.id), 'state', 'waiting')
  call('HINCRBY', COUNTS, 'waiting', 1)
  if call('ZADD', LANES, 'NX', rec.due, rec.connector) == 1 then ring(rec.connector) end
end

-- Move what has fallen due from the calendar to the end of its lane, in order of due time.
local function promote(lane)
  if budget <= 0 then return end
  local due = call('ZRANGEBYSCORE', later_key(lane), '-inf', now, 'LIMIT', 0, STEPS)
  if #due == 0 then return end
  budget = budget - #due
  for _, member in ipairs(due) do
    -- One before it in this very loop may have dropped it.
    if call('ZREM', later_key(lane), member) == 1 then
      call('HINCRBY', COUNTS, 'delayed', -1)
      local rec = read(later_id(member))
      if rec and rec.state == 'delayed' then join(rec) end
    end
  end
  note_calendar(lane)
end

local function hand_over(rec, lane, token, orphan)
  call('ZADD', LANES, rec.due, lane)
  lease(lane, token)
  local body = redis.pcall('GET', body_key(rec.id))
  return { lane = lane, id = rec.id, token = token, body = type(body) == 'string' and body or '',
    action = rec.action, class = rec.class, attempt = rec.attempts, unknowns = rec.unknowns or 0,
    admitted = rec.admitted, due = rec.due, expires = rec.expires, orphan = orphan }
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
      call('HINCRBY', COUNTS, 'waiting', -1)
      call('HINCRBY', TOTALS, 'vanished', 1)
    elseif rec.connector ~= lane or (rec.state ~= 'waiting' and rec.state ~= 'sending') then
      -- Somebody else wrote there, so nobody knows what became of it. It must say what it is from now on,
      -- or it could not be written down how it ended, and would be handed out again and again.
      rec.connector, rec.state = lane, 'sending'
      call('HSET', signal_key(id), 'connector', lane, 'state', 'sending')
      return hand_over(rec, lane, token, true)
    elseif rec.state == 'sending' then
      return hand_over(rec, lane, token, rec.token ~= token)
    elseif rec.expires and now > rec.expires then
      leave_lane(rec)
      -- Too late to post it (again); but if it may have been taken before, that is what must be told.
      local doubt = (rec.unknowns or 0) > 0
      finish(rec, doubt and 'unknown' or 'expired', 'waited ' .. (now - rec.due) .. ' ms')
    else
      rec.attempts = rec.attempts + 1
      call('HSET', signal_key(id), 'state', 'sending', 'token', token, 'attempts', rec.attempts)
      return hand_over(rec, lane, token, false)
    end
  end
  give_back(lane)
end
