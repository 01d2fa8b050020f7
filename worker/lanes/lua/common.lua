-- Answers, records, outcomes, and the indexes in which a lane is.

local function tally(hash, field, by)
  local fields = tallies[hash] or {}
  tallies[hash] = fields
  fields[field] = (fields[field] or 0) + by
end

-- `number`: whoever gives one has the rings sent from here, if the caller wants that (rare/bell.lua).
local function answer(items, number)
  for hash, fields in pairs(tallies) do
    for field, by in pairs(fields) do
      if by ~= 0 then call('HINCRBY', hash, field, by) end
    end
  end
  -- WAIT and WAITAOF wait for what their own connection wrote. A repeated call may come by another and find
  -- nothing left to write: then there must be something after what the first one wrote.
  if A.durable then call('SET', P .. 'kept', now) end
  local open = {}
  for _, lane in ipairs(rings) do  -- without those that were leased after all
    if rung_now[lane] then open[#open + 1] = lane end
    rung_now[lane] = nil
  end
  if number and ARGV[4] ~= '' and #open > 0 then open = bell().send(open, number) end
  return cjson.encode({ now = now, rings = open, slots = slots, ended = ended, circuits = circuits,
    items = items })
end

local function lane_key(lane) return P .. 'lane:' .. lane end
local function exits_key(lane) return P .. 'exits:' .. lane end
local function overtaken_key(lane) return P .. 'overtaken:' .. lane end
local function later_key(lane) return P .. 'later:' .. lane end
local function signal_key(id) return P .. 'signal:' .. id end
local function body_key(id) return P .. 'body:' .. id end

-- The length keeps 'a' + 'b:c' apart from 'a:b' + 'c', whatever a connector is called.
local function claim_key(kind, connector, name)
  return P .. 'claim:' .. kind .. ':' .. #connector .. ':' .. connector .. ':' .. name
end

local function text_key(connector, text)
  return P .. 'text:' .. #connector .. ':' .. connector .. ':' .. text
end

local NUMBERS = { seq = true, admitted = true, due = true, expires = true, window = true, key_window = true,
  held = true, attempts = true, unknowns = true, taken = true }
local ALL = { 'connector', 'action', 'class', 'state', 'seq', 'admitted', 'due', 'expires', 'window', 'key_window', 'held',
  'order', 'key', 'text', 'print', 'drops', 'target', 'attempts', 'unknowns', 'token', 'taken', 'outcome' }

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

-- Some fields of the record of this id, the connector first; nil if there is none, or something that is not even
-- a hash.
local function read_some(id, fields)
  local values = redis.pcall('HMGET', signal_key(id), unpack(fields))
  if values.err or not values[1] then return nil end
  local rec = { id = id }
  for i, field in ipairs(fields) do
    local value = values[i]
    if value and NUMBERS[field] then value = whole(value) or UNREADABLE[field] end
    rec[field] = value or SPOILT[field]
  end
  return rec
end

-- The whole record but for its history, which only `remember` needs.
local function read(id) return read_some(id, ALL) end

-- The claims of a signal, and how long after its admission each is kept at least.
local function claims(rec)
  local keys, windows = {}, {}
  if rec.order then keys[1], windows[1] = claim_key('order', rec.connector, rec.order), rec.window end
  if rec.key then
    keys[#keys + 1] = claim_key('key', rec.connector, rec.key)
    windows[#keys] = rec.key_window or rec.window
  end
  return keys, windows
end

local function owner(claim)
  return string.match(claim, '^(%S*)')
end

local function remember(rec, note)
  if not note or note == '' then return end
  local key, lines = signal_key(rec.id), {}
  for line in string.gmatch(call('HGET', key, 'history') or '', '[^\n]+') do lines[#lines + 1] = line end
  lines[#lines + 1] = note
  while #lines > HISTORY_LINES do table.remove(lines, 1) end
  call('HSET', key, 'history', table.concat(lines, '\n'))
end

-- Who decides, and for what reason; for acts of people.
local function decided() return 'by ' .. A.by .. (A.why ~= '' and ': ' .. A.why or '') end

-- Write down what a person does with a signal. `was`: what it was before.
local function note_act(rec, act, was)
  remember(rec, cjson.encode({ at = now, verdict = act, why = decided() }))
  call('XADD', P .. 'acts', 'MAXLEN', '~', A.stream, '*', 'id', rec.id, 'connector', rec.connector,
    'action', rec.action, 'act', act, 'by', A.by, 'why', A.why, 'was', was)
end

-- Give a signal its outcome. The caller has taken it out of its lane or out of the calendar. `partial`: the
-- record was read without what its claims are made of.
local function finish(rec, outcome, why, partial)
  local dead, frees = string.find(RULES[outcome], 'dead'), string.find(RULES[outcome], 'free')
  local keys, windows = claims(partial and read(rec.id) or rec)
  for i, claim in ipairs(keys) do
    local held = call('GET', claim)
    if held and owner(held) == rec.id then
      if frees then
        call('DEL', claim)
      elseif not dead then
        call('PEXPIREAT', claim, rec.admitted + windows[i])
      end
    end
  end
  local key = signal_key(rec.id)
  call('HSET', key, 'state', dead and 'dead' or 'finished', 'outcome', outcome, 'why', why, 'ended', now)
  if dead then
    call('ZADD', DEAD, now, rec.id)
    if outcome == 'unknown' then call('ZADD', UNKNOWN, now, rec.id) end
    tally(COUNTS, 'dead:' .. outcome, 1)
    -- What should have been closed or cancelled and was not is worse than a missed order: counted once more.
    if rec.class ~= 'entry' then
      call('HSET', key, 'exit', 1)
      tally(COUNTS, 'exits:' .. outcome, 1)
    end
  else
    call('DEL', body_key(rec.id))
    call('PEXPIRE', key, A.keep)
  end
  tally(TOTALS, outcome, 1)
  call('XADD', OUTCOMES, 'MAXLEN', '~', A.stream, '*', 'id', rec.id, 'connector', rec.connector,
    'action', rec.action, 'outcome', outcome, 'why', why, 'attempts', rec.attempts or 0,
    'admitted', rec.admitted, 'due', rec.due)
  ended[#ended + 1] = { id = rec.id, lane = rec.connector, action = rec.action, class = rec.class,
    outcome = outcome, why = why, attempts = rec.attempts or 0, admitted = rec.admitted, due = rec.due }
end

-- A dead letter gets another fate; totals count the last one.
local function leave_dead(rec)
  call('ZREM', DEAD, rec.id)
  call('ZREM', UNKNOWN, rec.id)
  tally(COUNTS, 'dead:' .. (rec.outcome or '?'), -1)
  -- Only what was counted: an earlier release did not.
  if call('HDEL', signal_key(rec.id), 'exit') == 1 then
    tally(COUNTS, 'exits:' .. (rec.outcome or '?'), -1)
  end
  tally(TOTALS, rec.outcome or '?', -1)
end

local some_halted, some_reserved = nil, nil

-- Whether any lane may be halted: asked of each lane that a signal joins, and nearly always no.
local function any_halted()
  if some_halted == nil then some_halted = call('ZCARD', HALTED) > 0 end
  return some_halted
end

-- Whether any lane may have a turn under a rate limit; likewise.
local function any_reserved()
  if some_reserved == nil then some_reserved = call('HLEN', RESERVED) > 0 end
  return some_reserved
end

-- Take a lane out of whichever of two indexes it is in; in at most one, so the likelier is asked first.
local function leave(lane, likely, other)
  if call('ZREM', likely, lane) == 0 and (other ~= HALTED or any_halted()) then call('ZREM', other, lane) end
end

local function note_ring(lane)
  if not rung_now[lane] then
    rung_now[lane] = true
    rings[#rings + 1] = lane
  end
end

-- Ring a lane that is in no index.
local function ring_new(lane)
  call('ZADD', RUNG, now, lane)
  note_ring(lane)
end

local function ring(lane)
  leave(lane, WAKEUPS, HALTED)
  ring_new(lane)
end

-- `holds`: whether the lane was leased under this token already. What has joined it since may have dropped its head
-- and so given it back: then it is not among the wake-ups any more.
local function lease(lane, token, holds)
  rung_now[lane] = nil
  local is_new = call('ZADD', WAKEUPS, now + A.lease, lane) == 1
  if is_new then leave(lane, RUNG, HALTED) end
  if is_new or not holds then call('HSET', LEASES, lane, token) end
end

local function idle(lane)
  rung_now[lane] = nil
  call('ZREM', LANES, lane)
  if call('ZREM', WAKEUPS, lane) == 0 then leave(lane, RUNG, HALTED) end
  call('HDEL', LEASES, lane)
  if any_reserved() then call('HDEL', RESERVED, lane) end
  call('DEL', exits_key(lane), overtaken_key(lane))
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
  if rec.class ~= 'entry' then call('LREM', exits_key(rec.connector), from_the_end and -1 or 1, rec.id) end
  tally(COUNTS, 'waiting', -1)
end

local armed_now = {}

-- One countdown task per slot, however many signals fall due in it, and only within the horizon:
-- the sweep arms what is further off when it comes near.
local function arm(at)
  if at - now > A.horizon then return end
  local slot = math.ceil(at / A.slot) * A.slot
  if armed_now[slot] then return end
  armed_now[slot] = true
  if call('ZADD', ARMED, 'NX', slot, slot) == 1 then slots[#slots + 1] = slot end
end

-- Let go of a lane until its head may be tried again.
local function park(lane, at)
  rung_now[lane] = nil
  call('HDEL', LEASES, lane)
  -- It is rung if it was just being taken, or if the lease had run out and nobody has come yet.
  if call('ZADD', WAKEUPS, at, lane) == 1 then leave(lane, RUNG, HALTED) end
  arm(at)
end

-- Let go of a lane until its brake is taken off; at `at` something in it becomes stale.
local function halt(lane, at)
  rung_now[lane] = nil
  call('HDEL', LEASES, lane)
  if call('ZADD', HALTED, at, lane) == 1 then leave(lane, RUNG, WAKEUPS) end
  some_halted = true
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

