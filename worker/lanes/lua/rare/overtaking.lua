-- What leaves go out while entries are paused, and what becomes of the entries that they overtook.

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

-- Remember what overtook: entries of that kind that stand before it are dropped when their turn comes.
local function note_overtaking(rec)
  local kind = OVERTAKES[rec.action]
  if kind and (rec.class == 'full' or rec.action == 'positionSync') then
    local newest = marks(rec.connector, kind)
    if newest == overtaking_mark(rec) then return end
    call('HSET', overtaken_key(rec.connector), kind, overtaking_mark(rec) .. (newest ~= '' and '\n' .. newest or ''))
  end
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

return { forget = forget_overtaking, overtake = overtake, halt = halt_paused }
