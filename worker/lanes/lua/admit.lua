-- Take a batch of signals in: claim their ids, store them, append each to its lane or the calendar.
--
-- arguments  items, kinds: see intake.lua; most: signals that may wait per connector (0: any number); in_order:
--                    whether that holds for exits too; keep, stream, horizon, slot
-- ARGV[4]    the message that rings (rare/bell.lua); empty: the caller rings
-- ARGV[5]    see intake.lua
-- items      {place, status, first?, state?} of each that is not simply accepted: duplicate | conflict | full; first
--            and state tell of the signal that holds the id
--
-- A caller who lost the reply asks again with the same ids and is told the same.
--
-- Most signals are new, due at once, and make nothing else pointless. They are put aside and written together, with
-- one command for all keys of a sort where there is one: to give a command costs more than the command. Before any
-- other is looked at they are written, so that it finds what it would if each had been by itself.

begin_batch()

for _, kind in ipairs(A.kinds) do
  kind.plain = kind.delay == 0 and not (kind.hold or kind.text or kind.drops)
  if kind.plain then
    kind.state, kind.admitted, kind.due, kind.expires = 'waiting', now, now, kind.age and now + kind.age
    kind.fields, kind.size = new_fields(kind)
    for i, value in ipairs(kind.fields) do  -- once, not for each signal
      if type(value) == 'number' then kind.fields[i] = string.format('%.0f', value) end
    end
  end
end

local spoilt = nil  -- why a lane could not be written to

local function is_free(claim) return not claim or unclaimed[claim] end

local function is_plain(place, lane, kind)
  return kind.plain and unheard and not stored[given(place, 1)] and is_free(order_claims[place])
    and is_free(key_claims[place]) and not is_behind(lane)
end

local groups, group_of, put_aside = {}, {}, 0  -- what was put aside, by lane

-- Put a plain signal aside, if it is one.
local function put(place)
  local lane, kind = given(place, 2), A.kinds[given(place, 6)]
  if not is_plain(place, lane, kind) then return false end
  local group = group_of[lane]
  if not group then
    group = { lane = lane, ids = {}, places = {}, exits = {}, delayed = A.most > 0 and delayed(lane) or 0 }
    groups[#groups + 1], group_of[lane] = group, group
  end
  local id, order, key = given(place, 1), order_claims[place], key_claims[place]
  group.ids[#group.ids + 1], group.places[#group.places + 1] = id, place
  if kind.class ~= 'entry' then group.exits[#group.exits + 1] = id end
  if order then unclaimed[order] = false end
  if key then unclaimed[key] = false end
  stored[id], put_aside = true, put_aside + 1
  return true
end

-- Append to its lane what was put aside; 'in' if that is done. It comes before all else that is written, because only
-- here somebody can have spoilt a key ('spoilt'), and here it shows that not all find room ('crowded').
local function append(group)
  local length, exits = redis.pcall('RPUSH', lane_key(group.lane), unpack(group.ids)), 0
  if type(length) == 'table' then
    spoilt = length.err
    return 'spoilt'
  end
  local crowded = A.most > 0 and length + group.delayed > A.most
  if group.exits[1] and not crowded then exits = redis.pcall('RPUSH', exits_key(group.lane), unpack(group.exits)) end
  if type(exits) == 'number' and not crowded then
    group.exits_before = exits - #group.exits
    return 'in'
  end
  for _, id in ipairs(group.ids) do call('LREM', lane_key(group.lane), -1, id) end
  if crowded then return 'crowded' end
  spoilt = exits.err
  return 'spoilt'
end

-- Say to a lane that had work already what it must know of each that has joined it.
local function tell_lane(group)
  if not any_halted() and (group.exits_before > 0 or not group.exits[1] or not any_paused()) then return end
  local exits = group.exits_before
  for _, place in ipairs(group.places) do
    local kind = A.kinds[given(place, 6)]
    if kind.class ~= 'entry' then exits = exits + 1 end
    note_joined(group.lane, kind.class, kind.expires, kind.class ~= 'entry' and exits)
  end
end

-- Lanes that had no work before are rung.
local function begin_lanes(lanes)
  local scores, at = {}, string.format('%.0f', now)
  for i, lane in ipairs(lanes) do
    scores[2 * i - 1], scores[2 * i] = at, lane
    note_ring(lane)
  end
  in_chunks(scores, function(_, ...)
    call('ZADD', LANES, ...)
    call('ZADD', RUNG, ...)
  end)
end

local function write(taken)
  local texts, count, idle = {}, 0, {}
  for _, group in ipairs(taken) do
    for _, place in ipairs(group.places) do add_texts(texts, place) end
  end
  in_chunks(texts, function(_, ...) call('MSET', ...) end)
  for _, group in ipairs(taken) do
    for _, place in ipairs(group.places) do
      local kind = A.kinds[given(place, 6)]
      write_record(place, kind.fields, kind.size)
    end
    count = count + #group.places
    if group.has_work then tell_lane(group) else idle[#idle + 1] = group.lane end
  end
  begin_lanes(idle)
  tally(COUNTS, 'waiting', count)
  tally(TOTALS, 'admitted', count)
end

-- Write what was put aside. Where not all of a lane find room, each is looked at by itself.
local function write_aside()
  if put_aside == 0 then return end
  local found, lanes, by_fate = groups, {}, { ['in'] = {}, crowded = {}, spoilt = {} }
  groups, group_of, put_aside = {}, {}, 0
  for i, group in ipairs(found) do lanes[i] = group.lane end
  in_chunks(lanes, function(before, ...)
    for i, due in ipairs(call('ZMSCORE', LANES, ...)) do found[before + i].has_work = due end
  end)
  for _, group in ipairs(found) do
    local fate = append(group)
    by_fate[fate][#by_fate[fate] + 1] = group
    for _, id in ipairs(group.ids) do stored[id] = fate == 'in' or nil end
  end
  write(by_fate['in'])
  for _, group in ipairs(by_fate.crowded) do
    for _, place in ipairs(group.places) do take_in(place) end
  end
end

for place = 1, #A.items / PARTS do
  if not put(place) then
    write_aside()
    take_in(place)
  elseif put_aside == CHUNK then
    write_aside()
  end
end
write_aside()
local told = answer(refused, batch_from)
return spoilt and redis.error_reply(spoilt) or told
