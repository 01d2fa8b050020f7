-- Drop signals that wait, because somebody does not want them any more.
--
-- arguments  items: ids; by, why: who drops them, and for what reason; keep, stream, horizon, slot
-- items      {status}
--              done      it waited, delayed or due, and is cancelled now; told again to who asks again
--              sending   a worker has it in hand: too late
--              doubtful  an earlier attempt may have been taken: dropping it would hide an order
--              gone      finished, dead, or no signal

local reason = 'dropped ' .. decided()

local function drop_wanted(id)
  local rec = read(id)
  if rec == nil or rec.state == 'dead' then return 'gone' end
  if rec.state == 'finished' then
    if rec.outcome ~= 'cancelled' or call('HGET', signal_key(id), 'why') ~= reason then return 'gone' end
    tell_again(rec.connector)  -- the answer that told it may have been lost
    return 'done'
  end
  if rec.state == 'sending' then return 'sending' end
  if not dropping().is_unsent(rec) then return 'doubtful' end
  note_act(rec, 'drop', rec.state)
  dropping().call_off(rec, reason)
  return 'done'
end

local items = {}
for i, id in ipairs(A.items) do items[i] = { status = drop_wanted(id) } end
return answer(items)
