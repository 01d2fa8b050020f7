-- What the scripts of this folder share. Redis makes each function anew at each call, so a script gets only what
-- it mentions of basis, common, brakes and lanes; and a file of the folder `rare` becomes a function that makes
-- its contents when it is first called (worker/lanes/assembly.py).
--
-- ARGV[1]  prefix of all keys (docs/keys.md lists them)
-- ARGV[2]  the script's arguments as JSON
-- ARGV[3]  time in ms after which nobody listens to this call any more; empty: somebody always does
-- answer   JSON: {now, rings, slots, ended, circuits, items}
--            rings  lanes that somebody must ring now (a Celery `signals.drain`)
--            slots  times in ms at which somebody must wake the calendar (`signals.wake`)
--            ended  signals that reached their outcome in this call
--            circuits  {endpoint, open}: circuits that this call opened or closed
--            items  one answer per argument, or of each that needs one, as each script documents
--
-- Time is always the server's, in ms: one clock for all producers and workers.
-- Every script gives the same answer when the same caller asks again after a lost reply.

local call = redis.call
local P = ARGV[1]
local A = cjson.decode(ARGV[2])
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A copy of a call that its caller has given up, and perhaps repeated, must not act for nobody.
if now > (tonumber(ARGV[3]) or now) then return cjson.encode({ now = now, late = true }) end

-- A newer release may mean something else by what it writes (worker/lanes/keys.py): we end what we have begun, and
-- leave the rest to it.
local format = tonumber(call('GET', P .. 'format')) or 1
if format > A.format then
  if not A.ends then return cjson.encode({ now = now, newer = format }) end
  for _, item in ipairs(A.items) do item.more = nil end
end

-- A lane with work is in LANES and in exactly one of RUNG, WAKEUPS and HALTED. Whoever finds its time
-- passed rings it; whoever finds it in any of them leaves it alone.
local LANES = P .. 'lanes'       -- zset: lane -> due time of its head
local RUNG = P .. 'rung'         -- zset: lane -> when it was rung and not yet checked out
local WAKEUPS = P .. 'wakeups'   -- zset: lane -> lease end or retry time
local HALTED = P .. 'halted'     -- zset: lane -> when to look for stale signals in it; held by a brake
local LEASES = P .. 'leases'     -- hash: lane -> token of its holder
local RESERVED = P .. 'reserved' -- hash: lane -> when its turn under the rate limits comes
local CALENDAR = P .. 'calendar' -- zset: connector -> due time of its next delayed signal
local ARMED = P .. 'armed'       -- zset: slot -> slot, countdown tasks that are on their way
local COUNTS = P .. 'counts'     -- hash: how many signals are where, now
local TOTALS = P .. 'totals'     -- hash: how many ended how, ever
local DEAD = P .. 'dead'         -- zset: id -> when it became a dead letter
local UNKNOWN = P .. 'unknown'   -- zset: those of them that may have become an order, likewise
local OUTCOMES = P .. 'outcomes' -- stream: outcomes as they happen, bounded

-- dead: kept for a person to look at. free: it is certain that no order was placed, so the sender may use the id
-- again.
local RULES = {
  accepted = 'done',
  cancelled = 'free',
  rejected = 'dead, free',
  expired = 'dead, free',
  unsent = 'dead, free',
  invalid = 'dead, free',
  unknown = 'dead',
  discarded = 'free',  -- by a person, who takes it that no order exists
}

local HISTORY_LINES = 10  -- attempts remembered per signal
local STEPS = 200         -- signals one lane may promote or expire per call: bounds the script's time
local budget = 1000       -- signals all lanes may promote per call

local rings, rung_now, slots, ended, circuits = {}, {}, {}, {}, {}
local tallies = {}  -- hash -> field -> by how much this call changes it: written once, not once per signal
