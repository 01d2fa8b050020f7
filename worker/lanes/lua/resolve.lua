-- Write down what a person decided about dead letters.
--
-- arguments  items: ids; act: resend | accept | discard; by, why: who decided, and for what reason; keep,
--            stream, horizon, slot
-- items      {status}
--              done   decided
--              gone   no dead letter (any more): somebody else decided, or a late answer did
--              taken  resend only: its id belongs to another signal by now
--
-- resend makes a new attempt of the same signal, due now; accept ends it as accepted, discard as discarded.

-- Whether an id of it was freed and has been used again: a resend would be a second order under it.
local function is_taken(rec)
  for _, claim in ipairs(claims(rec)) do
    local held = call('GET', claim)
    if held and owner(held) ~= rec.id then return true end
  end
  return false
end

local function reclaim(rec)
  for _, claim in ipairs(claims(rec)) do call('SET', claim, rec.id .. ' ' .. (rec.print or ''), 'NX') end
end

local function send_again(rec)
  promote(rec.connector)  -- what fell due before now goes first
  local age = rec.expires and rec.expires - rec.due
  rec.due, rec.expires, rec.attempts, rec.unknowns = now, age and now + age, 0, 0
  rec.seq = call('INCR', P .. 'seq')
  local key = signal_key(rec.id)
  -- Without its token no late answer of an earlier attempt can settle this one.
  call('HDEL', key, 'token', 'outcome', 'why', 'ended', 'unknowns')
  call('HSET', key, 'due', rec.due, 'attempts', 0, 'seq', rec.seq)
  if age then call('HSET', key, 'expires', rec.expires) end
  join(rec)
end

local function resolve(id)
  local rec = read(id)
  if rec == nil or rec.state ~= 'dead' then return 'gone' end
  if A.act == 'resend' and is_taken(rec) then return 'taken' end
  if A.act ~= 'discard' then reclaim(rec) end  -- an order exists, or may soon
  note_act(rec, A.act, rec.outcome)
  leave_dead(rec)
  tally(TOTALS, 'revised:' .. (rec.outcome or '?'), 1)
  if A.act == 'resend' then
    send_again(rec)
  else
    finish(rec, A.act == 'accept' and 'accepted' or 'discarded', A.act .. 'ed ' .. decided())
  end
  return 'done'
end

local items = {}
for i, id in ipairs(A.items) do items[i] = { status = resolve(id) } end
return answer(items)
