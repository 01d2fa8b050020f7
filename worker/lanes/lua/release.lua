-- Take the idempotency keys of signals away from them, and forget their texts: the same may come again. Nothing
-- else of them changes.
--
-- arguments  items: ids; those of signals that are gone, or that hold neither, change nothing
-- items      none

for _, id in ipairs(A.items) do
  local rec = read(id)
  if rec and rec.text then call('ZREM', text_key(rec.connector, rec.text), id) end
  if rec and rec.key then
    local claim = claim_key('key', rec.connector, rec.key)
    local held = call('GET', claim)
    if held and owner(held) == id then call('DEL', claim) end
    -- Or a resend, or its end, would claim or free the key of whoever has it then.
    call('HDEL', signal_key(id), 'key')
  end
end
return answer({})
