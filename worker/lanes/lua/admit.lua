-- Take a batch of signals in: claim their ids, store them, append each to its lane or the calendar.
--
-- arguments  items: {id, connector, action, class, delay, window, print, size,
--                    age?, order?, key?, key_window?, text?, hold?, drops?, target?, trace?}; hold: of the
--                    delay, what only puts senders in order; most: signals that may wait per
--                    connector (0: any number); in_order: whether that holds for exits too; keep, stream,
--                    horizon, slot
-- ARGV[4]    the message that rings (rare/bell.lua); empty: the caller rings
-- ARGV[5]    the bodies, one behind the other, each of `size` bytes: not in the JSON, where they would be packed and
--            unpacked once more
-- items      {status, first, state}: accepted | duplicate | conflict | full; first and state tell of the
--            signal that holds the id
--
-- A caller who lost the reply asks again with the same ids and is told the same.

local ACCEPTED = { status = 'accepted' }
local REST = { 'state', 'seq', 'admitted', 'due', 'expires', 'window', 'key_window', 'held', 'order', 'key', 'text', 'print',
  'drops', 'target', 'attempts', 'trace' }  -- fields of a new record, besides those that each signal has as they came
local CHUNK = 1000  -- keys that one command may name: Lua's stack holds no more than a few thousand

-- What did not exist when this call began, asked for all items at once. Only this call can have made it since.
local unheard = false  -- whether that is so of all signals
local unclaimed = {}   -- claim -> whether it is of this one

local function ask(command, keys, each)
  for from = 1, #keys, CHUNK do
    each(call(command, unpack(keys, from, math.min(from + CHUNK - 1, #keys))), from - 1)
  end
end

local function look_around()
  local signals, names, known, read_to = {}, {}, 0, 0
  for i, item in ipairs(A.items) do
    signals[i] = signal_key(item.id)
    item.body, read_to = string.sub(ARGV[5], read_to + 1, read_to + item.size), read_to + item.size
    item.claims = claims(item)
    for _, claim in ipairs(item.claims) do names[#names + 1] = claim end
  end
  ask('EXISTS', signals, function(count) known = known + count end)
  unheard = known == 0
  ask('MGET', names, function(values, before)
    for i, value in ipairs(values) do unclaimed[names[before + i]] = not value end
  end)
end

local made = {}  -- ids of signals that this call stored

local function is_known(id)
  if unheard then return made[id] end
  return call('EXISTS', signal_key(id)) == 1
end

local function holder_of(item)
  for _, claim in ipairs(item.claims) do
    local held = not unclaimed[claim] and call('GET', claim)
    if held then return held end
  end
end

-- The oldest signal with the same text whose sender may not have had its answer: then this is the same one,
-- sent again. Nobody sends again within the first seconds, but two alerts of a moment can be alike.
local TEXT_KNOWN, TEXT_NEW = 60000, 3000

local function sent_before(item)
  if not item.text then return nil end
  local key = text_key(item.connector, item.text)
  return call('ZRANGEBYSCORE', key, now - TEXT_KNOWN, now - TEXT_NEW, 'LIMIT', 0, 1)[1]
end

local function note_text(item)
  if not item.text then return end
  local key = text_key(item.connector, item.text)
  call('ZADD', key, now, item.id)
  call('PEXPIRE', key, TEXT_KNOWN)
end

local function refuse(item, held)
  local first, print = string.match(held, '^(%S*) ?(%S*)')
  local status = print == item.print and 'duplicate' or 'conflict'
  tally(TOTALS, status, 1)
  local known = call('HMGET', signal_key(first), 'state', 'outcome')
  return { status = status, first = first, state = known[2] or known[1] or 'finished' }
end

-- What takes risk away is still taken when entries are not any more; and a full lane must be one that can be
-- cleared.
local function is_full(item)
  if A.most == 0 then return false end
  local spare = item.class == 'cancel' and A.most or math.ceil(A.most / 10)
  if A.in_order or item.class == 'entry' then spare = 0 end
  return call('LLEN', lane_key(item.connector)) + delayed(item.connector) >= A.most + spare
end

local function repeat_answer(id)
  local rec = read(id)
  if rec.state == 'waiting' and call('ZSCORE', RUNG, rec.connector) then ring(rec.connector) end
  if rec.state == 'delayed' and rec.due - now <= A.horizon then
    slots[#slots + 1] = math.ceil(rec.due / A.slot) * A.slot
  end
  return ACCEPTED
end

-- Keep a signal; the item itself becomes its record.
local function store(rec, seq)
  rec.seq, rec.admitted, rec.attempts = seq, now, 0
  -- The clock is cut to whole ms: one more, so that no delay ever ends early.
  rec.due = rec.delay > 0 and now + rec.delay + 1 or now
  rec.held = rec.hold and now + rec.hold
  -- Behind what is due already, even if that is too much to be brought in by this call.
  rec.state = (rec.delay > 0 or is_behind(rec.connector)) and 'delayed' or 'waiting'
  rec.expires = rec.age and rec.due + rec.age
  local texts, count = { body_key(rec.id), rec.body }, 2
  for _, claim in ipairs(rec.claims) do
    unclaimed[claim] = false
    texts[count + 1], texts[count + 2], count = claim, rec.id .. ' ' .. rec.print, count + 2
  end
  call('MSET', unpack(texts))
  local fields, size = { 'v', A.format, 'connector', rec.connector, 'action', rec.action, 'class', rec.class }, 8
  for _, field in ipairs(REST) do
    local value = rec[field]
    if value then fields[size + 1], fields[size + 2], size = field, value, size + 2 end
  end
  call('HSET', signal_key(rec.id), unpack(fields))
  made[rec.id] = true
end

if format < A.format then call('SET', P .. 'format', A.format) end
local items = {}
local seq = call('INCRBY', P .. 'seq', #A.items) - #A.items
batch_from = seq + 1
look_around()
for i, item in ipairs(A.items) do
  if is_known(item.id) then
    items[i] = repeat_answer(item.id)
  else
    local held, before = holder_of(item), sent_before(item)
    if held then
      items[i] = refuse(item, held)
    elseif before then
      items[i] = refuse(item, before .. ' ' .. item.print)
    elseif is_full(item) then
      tally(TOTALS, 'full', 1)
      items[i] = { status = 'full' }
    else
      promote(item.connector)  -- what fell due before now goes first
      store(item, seq + i)
      note_text(item)
      if item.state == 'delayed' then calendar().delay(item) else join(item) end
      tally(TOTALS, 'admitted', 1)
      items[i] = ACCEPTED
    end
  end
end
return answer(items, batch_from)
