-- How a signal is taken in that comes alone, or must be looked at by itself: it may be known already, is not due at once,
-- makes others pointless, or may find its lane full.

local function is_known(place)
  if unheard then return stored[given(place, 1)] end
  return call('EXISTS', record_keys[place]) == 1
end

local function claims_of(place)
  local order, key = order_claims[place], key_claims[place]
  return order and { order, key or nil } or { key or nil }
end

local function holder_of(place)
  for _, claim in ipairs(claims_of(place)) do
    local held = not unclaimed[claim] and call('GET', claim)
    if held then return held end
  end
end

-- The oldest signal with the same text whose sender may not have had its answer: then this is the same one,
-- sent again. Nobody sends again within the first seconds, but two alerts of a moment can be alike.
local TEXT_KNOWN, TEXT_NEW = 60000, 3000

local function sent_before(rec)
  if not rec.text then return nil end
  local key = text_key(rec.connector, rec.text)
  return call('ZRANGEBYSCORE', key, now - TEXT_KNOWN, now - TEXT_NEW, 'LIMIT', 0, 1)[1]
end

local function note_text(rec)
  if not rec.text then return end
  local key = text_key(rec.connector, rec.text)
  call('ZADD', key, now, rec.id)
  call('PEXPIRE', key, TEXT_KNOWN)
end

local function refuse(place, held)
  local first, print = string.match(held, '^(%S*) ?(%S*)')
  local status = print == given(place, 3) and 'duplicate' or 'conflict'
  tally(TOTALS, status, 1)
  local known = call('HMGET', signal_key(first), 'state', 'outcome')
  refused[#refused + 1] = { place = place, status = status, first = first,
    state = known[2] or known[1] or 'finished' }
end

-- What takes risk away is still taken when entries are not any more; and a full lane must be one that can be
-- cleared.
local function is_full(rec)
  if A.most == 0 then return false end
  local spare = rec.class == 'cancel' and A.most or math.ceil(A.most / 10)
  if A.in_order or rec.class == 'entry' then spare = 0 end
  return call('LLEN', lane_key(rec.connector)) + delayed(rec.connector) >= A.most + spare
end

local function repeat_answer(id)
  local rec = read(id)
  if rec.state == 'waiting' and call('ZSCORE', RUNG, rec.connector) then ring(rec.connector) end
  if rec.state == 'delayed' and rec.due - now <= A.horizon then
    slots[#slots + 1] = math.ceil(rec.due / A.slot) * A.slot
  end
end

local function record_of(place)
  local kind, rec = A.kinds[given(place, 6)], {}
  if #A.items > PARTS then  -- others may be of its kind
    for name, value in pairs(kind) do rec[name] = value end
  else
    rec = kind
  end
  rec.id, rec.connector = given(place, 1), given(place, 2)
  return rec
end

local function store(place, rec)
  rec.seq, rec.admitted = batch_from + place - 1, now
  -- The clock is cut to whole ms: one more, so that no delay ever ends early.
  rec.due = rec.delay > 0 and now + rec.delay + 1 or now
  rec.held = rec.hold and now + rec.hold
  -- Behind what is due already, even if that is too much to be brought in by this call.
  rec.state = (rec.delay > 0 or is_behind(rec.connector)) and 'delayed' or 'waiting'
  rec.expires = rec.age and rec.due + rec.age
  local texts = {}
  add_texts(texts, place)
  call('MSET', unpack(texts))
  write_record(place, new_fields(rec))
  for _, claim in ipairs(claims_of(place)) do unclaimed[claim] = false end
  stored[rec.id] = true
end

local function take_in(place)
  if is_known(place) then return repeat_answer(given(place, 1)) end
  local rec = record_of(place)
  local held, before = holder_of(place), sent_before(rec)
  if held then return refuse(place, held) end
  if before then return refuse(place, before .. ' ' .. given(place, 3)) end
  if is_full(rec) then
    tally(TOTALS, 'full', 1)
    refused[#refused + 1] = { place = place, status = 'full' }
    return
  end
  promote(rec.connector)  -- what fell due before now goes first
  store(place, rec)
  note_text(rec)
  if rec.state == 'delayed' then calendar().delay(rec) else join(rec) end
  tally(TOTALS, 'admitted', 1)
end
