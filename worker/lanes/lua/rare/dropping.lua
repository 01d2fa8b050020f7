-- How signals that wait are dropped, by a person or by what makes them pointless.

-- A position sync says what the position shall be, not what to order: no cancel means it.
local NEVER_DROPPED = { cancel = true, cancelAll = true, positionSync = true }

local swept = {}  -- lane -> what was dropped from its calendar in this call -> by which sequence number

-- Take a signal that waits, delayed or due, out of its place for good.
local function call_off(rec, why)
  if rec.state == 'delayed' then
    calendar().leave(rec)
    finish(rec, 'cancelled', why)
    calendar().note(rec.connector)
    return
  end
  local was_head = call('LINDEX', lane_key(rec.connector), 0) == rec.id
  leave_lane(rec, not was_head)
  overtaking().forget(rec)
  finish(rec, 'cancelled', why)
  -- The lane may have been waiting for this head's retry; what follows need not.
  if was_head then give_back(rec.connector) end
end

-- Whether it waits and nothing of it can have reached the endpoint: otherwise it is more than waiting.
local function is_unsent(rec)
  return (rec.state == 'delayed' or rec.state == 'waiting') and (rec.unknowns or 0) == 0
end

-- Drop an order that still waits because `by` makes it pointless.
local function drop(rec, by)
  if NEVER_DROPPED[rec.action] or not is_unsent(rec) then return end
  call_off(rec, 'dropped by ' .. by.action .. ' ' .. by.id)
end

-- Whether `rec` was said before `by`. Signals that are held until all senders' have come count from when they
-- came, which their hold's end tells; others from their admission.
local function earlier(rec, by)
  if not rec then return false end
  if rec.held and by.held and rec.held ~= by.held then return rec.held < by.held end
  return rec.seq < by.seq
end

-- Drop what waits in the lane, from its end to the last `cancelAll` that was not delayed: that one has dropped all before it, but
-- for a head that was in flight then and may be waiting for a retry now.
local function drop_lane(by)
  local key = lane_key(by.connector)
  local head = call('LINDEX', key, 0)
  for at = call('LLEN', key) - 1, 0, -1 do
    local rec = read(call('LINDEX', key, at) or '')
    if rec and rec.action == 'cancelAll' and rec.due == rec.admitted then break end
    if earlier(rec, by) then drop(rec, by) end
  end
  local rec = head and read(head)
  if earlier(rec, by) then drop(rec, by) end
end

-- What a signal makes pointless as it joins its lane: `drops` names it (policy decides, see
-- worker/policy.py): 'order' the one with clientOrderId `target`, 'all' every order admitted before
-- it, an action: earlier signals of that action which are still in the calendar.
local function supersede(by)
  if by.drops == 'order' then
    local claim = call('GET', claim_key('order', by.connector, by.target))
    local rec = claim and read(owner(claim))
    if rec then drop(rec, by) end
    return
  end
  if by.drops == 'all' then
    drop_lane(by)
  end
  -- A batch of closes must not look through a long calendar once for each: what came before the batch is gone
  -- after the first, and the next look at what was delayed since.
  local done = swept[by.connector] or {}
  swept[by.connector] = done
  local last = not by.held and done[by.drops] or -1  -- held ones do not join in the order of their seq
  if by.seq <= last then return end
  done[by.drops] = by.seq
  local key = later_key(by.connector)
  local members = last >= batch_from and fresh[by.connector] or call('ZRANGE', key, 0, -1)
  local kept = {}
  for _, member in ipairs(members or {}) do
    local action = calendar().action_of(member)
    if action == by.drops or (by.drops == 'all' and not NEVER_DROPPED[action]) then
      local rec = read(calendar().id_of(member))
      if earlier(rec, by) then drop(rec, by) end
    else
      kept[#kept + 1] = member
    end
  end
  if last >= batch_from then fresh[by.connector] = kept end
end

return { call_off = call_off, is_unsent = is_unsent, supersede = supersede }
