-- Write down how signals ended, and hand out the next head of each lane or give the lane back.
--
-- arguments  items: {lane, id, token, outcome, why, note, health?, more}; lease, keep, stream, horizon, slot, brakes
--              token  of the attempt or of the lease; note: a line for the attempt history
--              health what the attempt tells of the endpoint, see `learn`
--              more   whether the caller wants the lane's next head
-- items      {status, next?}
--              done   written (or already written by the same caller)
--              late   the lane had gone to another, but the signal's fate was still open: written
--              stale  the signal has another fate by now; nothing was written

-- What an end needs of a record.
local ENDING = { 'connector', 'action', 'class', 'state', 'admitted', 'due', 'window', 'key_window', 'order', 'key',
  'attempts', 'token', 'outcome' }

local function apply(item, holds)
  local rec = read_some(item.id, ENDING)
  if rec == nil or rec.connector ~= item.lane then return 'stale' end
  local own = rec.token == item.token
  if rec.state == 'sending' and (own or holds) then
    leave_lane(rec)
    remember(rec, item.note)
    finish(rec, item.outcome, item.why)
    -- Whoever took the lane over had only this to judge: nothing is left for them to hold it for.
    if not holds then give_back(item.lane) end
    return 'done'
  end
  if not own then return 'stale' end
  if rec.outcome == item.outcome then return 'done' end
  if item.outcome == 'unknown' then return 'stale' end
  -- The attempt was taken for lost, but its answer did come.
  if rec.state == 'waiting' then
    local was_head = call('LINDEX', lane_key(item.lane), 0) == item.id
    leave_lane(rec)
    remember(rec, item.note)
    finish(rec, item.outcome, item.why)
    if was_head and not call('HGET', LEASES, item.lane) then give_back(item.lane) end
    return 'late'
  end
  if rec.state == 'dead' and rec.outcome == 'unknown' then
    leave_dead(rec)
    tally(TOTALS, 'revised:' .. rec.outcome, 1)
    remember(rec, item.note)
    finish(rec, item.outcome, item.why)
    return 'late'
  end
  return 'stale'
end

local items = {}
for i, item in ipairs(A.items) do
  local holds = call('HGET', LEASES, item.lane) == item.token
  local result = { status = apply(item, holds) }
  learn(item.lane, item.health)
  if holds then
    if item.more then
      result.next = take(item.lane, item.token, true)
    else
      give_back(item.lane)
    end
  elseif result.status == 'done' then
    tell_again(item.lane)  -- the answer that told it may have been lost
  end
  items[i] = result
end
return answer(items)
