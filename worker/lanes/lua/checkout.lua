-- Lease lanes and hand out their heads.
--
-- arguments  lanes: names; token: unique to this call; lease in ms; keep, stream, horizon, slot,
--            brakes
-- items      the heads that were handed out (see `hand_over`), with `rung`: when the lane was rung; a lane that is somebody else's, whose
--            time has not come or that has no work gives none

local items = {}
for _, lane in ipairs(A.lanes) do
  local at = tonumber(call('ZSCORE', WAKEUPS, lane) or 0)
  local holds = at > now and call('HGET', LEASES, lane) == A.token
  if at <= now or holds then
    local rung = call('ZSCORE', RUNG, lane)
    local head = take(lane, A.token, holds)
    if head then
      head.rung = rung and tonumber(rung) or nil
      items[#items + 1] = head
    end
  end
end
return answer(items)
