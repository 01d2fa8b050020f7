-- Rings lanes by writing the Celery message here: with the signals, or not at all.
--
-- ARGV[4]  of `admit`: the message as Celery and kombu write it, with <lanes>, where the names stand in the body, and <number>,
--          which makes of its ids new ones
-- A.ring   {queue, lanes}: where messages go, and how many lanes one may name

-- Only what is UTF-8: a message that cannot be read would end the worker that takes it.
local function is_text(name)
  if not string.find(name, '[\128-\255]') then return true end
  if string.find(name, '[\224][\128-\159]') or string.find(name, '[\237][\160-\191]')
    or string.find(name, '[\240][\128-\143]') or string.find(name, '[\244][\144-\191]') then return false end
  local rest = string.gsub(name, '[\194-\223][\128-\191]', ' ')
  rest = string.gsub(rest, '[\224-\239][\128-\191][\128-\191]', ' ')
  rest = string.gsub(rest, '[\240-\244][\128-\191][\128-\191][\128-\191]', ' ')
  return not string.find(rest, '[\128-\255]')
end

-- Ring these lanes; those that could not be are given back. `number`: no other message has it, nor the next ones.
local function send(lanes, number)
  local silent, named, messages = {}, {}, {}
  for _, lane in ipairs(lanes) do
    local list = is_text(lane) and named or silent
    list[#list + 1] = lane
  end
  for from = 1, #named, A.ring.lanes do
    local chunk = { unpack(named, from, math.min(from + A.ring.lanes - 1, #named)) }
    local told = { lanes = string.sub(cjson.encode(cjson.encode(chunk)), 2, -2),
      number = string.format('%012.0f', number + #messages) }
    messages[#messages + 1] = string.gsub(ARGV[4], '<(%l+)>', told)
  end
  if #messages == 0 or type(redis.pcall('LPUSH', P .. A.ring.queue, unpack(messages))) == 'number' then return silent end
  return lanes
end

return { send = send }
