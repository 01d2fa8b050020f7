-- Take a batch of signals in: claim their ids, store them, append each to its lane or the calendar.
--
-- arguments  items: {id, connector, action, class, delay, window, print, body,
--                    age?, order?, key?, key_window?, hold?, drops?, target?}; hold: of the
--                    delay, what only puts senders in order; most: signals that may wait per
--                    connector (0: any number); in_order: whether that holds for exits too; keep, stream,
--                    horizon, slot
-- items      {status, first, state}: accepted | duplicate | conflict | full; first and state tell of the
--            signal that holds the id
--
-- A caller who lost the reply asks again with the same ids and is told the same.

local function holder_of(item)
  local keys = claims(item)
  for _, claim in ipairs(keys) do
    local held = call('GET', claim)
    if held then return held end
  end
end

local function refuse(item, held)
  local first, print = string.match(held, '^(%S*) ?(%S*)')
  local status = print == item.print and 'duplicate' or 'conflict'
  call('HINCRBY', TOTALS, status, 1)
  local known = call('HMGET', signal_key(first), 'state', 'outcome')
  return { status = status, first = first, state = known[2] or known[1] or 'finished' }
end

-- What takes risk away is still taken when entries are not any more; and a full lane must be one that can be
-- cleared.
local function is_full(item)
  if A.most == 0 then return false end
  local spare = item.class == 'cancel' and A.most or math.ceil(A.most / 10)
  if A.in_order or item.class == 'entry' then spare = 0 end
  return call('LLEN', lane_key(item.connector)) + call('ZCARD', later_key(item.connector))
    >= A.most + spare
end

local function repeat_answer(id)
  local rec = read(id)
  if rec.state == 'waiting' and call('ZSCORE', RUNG, rec.connector) then ring(rec.connector) end
  if rec.state == 'delayed' and rec.due - now <= A.horizon then
    slots[#slots + 1] = math.ceil(rec.due / A.slot) * A.slot
  end
  return { status = 'accepted' }
end

local function store(item, seq)
  -- The clock is cut to whole ms: one more, so that no delay ever ends early.
  local due = item.delay > 0 and now + item.delay + 1 or now
  local rec = { id = item.id, connector = item.connector, action = item.action, class = item.class,
    seq = seq, admitted = now, due = due, window = item.window, attempts = 0,
    order = item.order, key = item.key, key_window = item.key_window, print = item.print,
    drops = item.drops, target = item.target, held = item.hold and now + item.hold }
  -- Behind what is due already, even if that is too much to be brought in by this call.
  rec.state = (item.delay > 0 or is_behind(item.connector)) and 'delayed' or 'waiting'
  if item.age then rec.expires = due + item.age end
  for _, claim in ipairs(claims(rec)) do call('SET', claim, item.id .. ' ' .. item.print) end
  local fields = { 'v', 1 }
  for _, field in ipairs(FIELDS) do
    if rec[field] then
      fields[#fields + 1] = field
      fields[#fields + 1] = rec[field]
    end
  end
  call('HSET', signal_key(item.id), unpack(fields))
  call('SET', body_key(item.id), item.body)
  return rec
end

local items = {}
local seq = call('INCRBY', P .. 'seq', #A.items) - #A.items
batch_from = seq + 1
for i, item in ipairs(A.items) do
  if call('EXISTS', signal_key(item.id)) == 1 then
    items[i] = repeat_answer(item.id)
  else
    local held = holder_of(item)
    if held then
      items[i] = refuse(item, held)
    elseif is_full(item) then
      call('HINCRBY', TOTALS, 'full', 1)
      items[i] = { status = 'full' }
    else
      promote(item.connector)  -- what fell due before now goes first
      local rec = store(item, seq + i)
      if rec.state == 'delayed' then delay(rec) else join(rec) end
      call('HINCRBY', TOTALS, 'admitted', 1)
      items[i] = { status = 'accepted' }
    end
  end
end
return answer(items)
