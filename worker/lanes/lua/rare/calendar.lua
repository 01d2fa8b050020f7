-- The calendar: signals that are not due yet.

-- Members sort by due time, then by order of admission; the action tells, without reading the record,
-- whether a cancel or close may drop it.
local function member(rec) return string.format('%016.0f', rec.seq) .. rec.action .. ' ' .. rec.id end
local function id_of(text) return string.match(text, ' (%S+)$') or '' end
local function action_of(text) return string.match(text, '^%d+(%a+) ') or '' end

-- Write down when the next signal of a lane falls due, after some have left its calendar.
local function note(lane)
  local first = call('ZRANGE', later_key(lane), 0, 0, 'WITHSCORES')
  if first[2] then
    call('ZADD', CALENDAR, first[2], lane)
    arm(tonumber(first[2]))
  else
    call('ZREM', CALENDAR, lane)
  end
end

local function delay(rec)
  local lane = rec.connector
  local added = fresh[lane] or {}
  fresh[lane] = added
  added[#added + 1] = member(rec)
  call('ZADD', later_key(lane), rec.due, member(rec))
  tally(COUNTS, 'delayed', 1)
  -- What is due earlier was armed when it came.
  if call('ZADD', CALENDAR, 'LT', 'CH', rec.due, lane) == 1 then arm(rec.due) end
  some_delayed = true
end

local function leave_calendar(rec)
  call('ZREM', later_key(rec.connector), member(rec))
  tally(COUNTS, 'delayed', -1)
end

return { id_of = id_of, action_of = action_of, note = note, delay = delay, leave = leave_calendar }
