-- Hold signals back, or let them go on.
--
-- arguments  scopes: 'all', 'entries', 'all:<connector>' or 'entries:<connector>'; label: for which reason,
--            several may hold one scope; set: true to pause, false to resume; by, why; stream, horizon, slot
-- items      {lane, id}: covered signals whose POST may still begin, because a worker took them before.
--            Ask again until there are none: then no covered POST starts any more.

local function labels_of(scope)
  local found = {}
  for label in string.gmatch(call('HGET', PAUSES, scope) or '', '[^\n]+') do found[#found + 1] = label end
  return found
end

local function put(scope, labels)
  if #labels == 0 then
    call('HDEL', PAUSES, scope)
  else
    call('HSET', PAUSES, scope, table.concat(labels, '\n'))
  end
end

local function change(scope)
  local labels, kept = labels_of(scope), {}
  for _, label in ipairs(labels) do
    if label ~= A.label then kept[#kept + 1] = label end
  end
  local was_set = #kept < #labels
  if A.set then kept[#kept + 1] = A.label end
  if was_set ~= A.set then
    put(scope, kept)
    call('XADD', P .. 'acts', 'MAXLEN', '~', A.stream, '*', 'scope', scope, 'act',
      A.set and 'pause' or 'resume', 'by', A.by, 'why', A.why, 'label', A.label)
    return true
  end
  return false
end

local changed = false
for _, scope in ipairs(A.scopes) do changed = change(scope) or changed end
if changed and not A.set then release_all() end

local items = {}
if A.set then
  local leases = call('HGETALL', LEASES)
  for i = 1, #leases, 2 do
    local lane, token = leases[i], leases[i + 1]
    local ends = tonumber(call('ZSCORE', WAKEUPS, lane) or 0)
    local id = call('LINDEX', lane_key(lane), 0)
    local rec = id and read(id)
    -- After its lease its holder does not begin; an orphan is judged, not posted.
    if rec and ends > now and rec.state == 'sending' and rec.token == token and paused(lane, rec.class) then
      items[#items + 1] = { lane = lane, id = id }
    end
  end
end
return answer(items)
