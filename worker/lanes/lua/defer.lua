-- Put heads back into their place, to be tried again later; each lane is given back.
--
-- arguments  items: {lane, id, token, delay, note, refund, unknown, health?}; lease, horizon, slot, brakes
--              delay    in ms from now
--              refund   nothing was sent: the attempt does not count
--              unknown  the attempt may have reached the endpoint
-- items      {status}: done | stale (the lane had gone to another; nothing was written)

local items = {}
for i, item in ipairs(A.items) do
  learn(item.lane, item.health)
  local rec = read(item.id)
  if rec and rec.state == 'sending' and call('HGET', LEASES, item.lane) == item.token then
    local key = signal_key(item.id)
    call('HSET', key, 'state', 'waiting')
    if item.refund then call('HSET', key, 'attempts', rec.attempts - 1) end
    if item.unknown then call('HSET', key, 'unknowns', (rec.unknowns or 0) + 1) end
    remember(rec, item.note)
    if item.delay > 0 then
      park(item.lane, now + item.delay)
    else
      give_back(item.lane)
    end
    items[i] = { status = 'done' }
  else
    -- If it was this caller who deferred it, and the answer got lost, tell again what is to do.
    if rec and rec.state == 'waiting' and rec.token == item.token then tell_again(item.lane) end
    items[i] = { status = 'stale' }
  end
end
return answer(items)
