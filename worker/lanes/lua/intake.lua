-- What `admit` is given, what of it Redis knows already, and how it is written down.
--
-- A.items  of each signal {id, connector, print, order, key, kind, size}, all in one list, because to make a table for
--          each and to look into it would cost as much as what is done with it; order, key: '' for none
-- A.kinds  what signals may have in common: {action, class, delay, window, age?, key_window?, text?, hold?,
--          drops?, target?, trace?}; hold: of the delay, what only puts senders in order
-- ARGV[5]  the bodies, one behind the other, each of `size` bytes: not in the JSON, where they would be packed and
--          unpacked once more

local PARTS = 7     -- of a signal in A.items
local CHUNK = 1000  -- arguments of one command: Lua's stack holds no more than a few thousand

-- A part of the signal at this place: 1 is its id, and so on.
local function given(place, part) return A.items[(place - 1) * PARTS + part] end

local function in_chunks(list, act)
  for from = 1, #list, CHUNK do act(from - 1, unpack(list, from, math.min(from + CHUNK - 1, #list))) end
end

-- What did not exist when this call began, asked for all signals at once. Only this call can have made it since.
local unheard = false  -- whether that is so of all signals
local unclaimed = {}  -- claim -> whether it is so of this one
local record_keys, order_claims, key_claims, bodies = {}, {}, {}, {}  -- by place; false for a claim that is not made

local function look_around()
  local names, known, read_to = {}, 0, 0
  for place = 1, #A.items / PARTS do
    local from = (place - 1) * PARTS
    local id, lane, _, order, key, _, size = unpack(A.items, from + 1, from + PARTS)
    record_keys[place] = signal_key(id)
    bodies[place], read_to = string.sub(ARGV[5], read_to + 1, read_to + size), read_to + size
    order_claims[place] = order ~= '' and claim_key('order', lane, order)
    key_claims[place] = key ~= '' and claim_key('key', lane, key)
    if order_claims[place] then names[#names + 1] = order_claims[place] end
    if key_claims[place] then names[#names + 1] = key_claims[place] end
  end
  in_chunks(record_keys, function(_, ...) known = known + call('EXISTS', ...) end)
  unheard = known == 0
  in_chunks(names, function(before, ...)
    for i, value in ipairs(call('MGET', ...)) do unclaimed[names[before + i]] = not value end
  end)
end

-- Claims and body of a signal, for one MSET behind what else it shall write.
local function add_texts(texts, place)
  local id, size = given(place, 1), #texts
  local holder = id .. ' ' .. given(place, 3)
  local order, key = order_claims[place], key_claims[place]
  texts[size + 1], texts[size + 2], size = body_key(id), bodies[place], size + 2
  if order then texts[size + 1], texts[size + 2], size = order, holder, size + 2 end
  if key then texts[size + 1], texts[size + 2], size = key, holder, size + 2 end
end

local COMMON = { 'action', 'class', 'state', 'admitted', 'due', 'expires', 'window', 'key_window', 'held', 'text', 'drops',
  'target', 'trace' }

-- The fields of a new record, with room in front for those that are never alike; and how many values that makes.
local function new_fields(rec)
  local list, size = { 'connector', '', 'seq', '', 'print', '', 'v', A.format, 'attempts', 0 }, 10
  for _, name in ipairs(COMMON) do
    local value = rec[name]
    if value then list[size + 1], list[size + 2], size = name, value, size + 2 end
  end
  return list, size
end

local function write_record(place, list, size)
  local from = (place - 1) * PARTS
  list[2], list[4], list[6] = A.items[from + 2], batch_from + place - 1, A.items[from + 3]
  if order_claims[place] then list[size + 1], list[size + 2], size = 'order', A.items[from + 4], size + 2 end
  if key_claims[place] then list[size + 1], list[size + 2], size = 'key', A.items[from + 5], size + 2 end
  call('HSET', record_keys[place], unpack(list, 1, size))
end

local stored = {}  -- ids of signals that this call stored
local refused = {}  -- the answer of `admit`

local function begin_batch()
  if format < A.format then call('SET', P .. 'format', A.format) end
  local count = #A.items / PARTS
  batch_from = call('INCRBY', P .. 'seq', count) - count + 1
  look_around()
end
