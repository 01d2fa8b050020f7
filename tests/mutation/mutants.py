"""The promises, each broken on purpose in one line, and the tests that must notice.

``old`` stands exactly once in its file; when the code there changes, change it here too.
"""

from __future__ import annotations

from dataclasses import dataclass

LANES = "tests/integration/test_lanes.py"
BRAKES = "tests/integration/test_lanes_brakes.py"
DROP = "tests/integration/test_lanes_drop.py"
RINGING = "tests/integration/test_ringing.py"
TOGETHER = "tests/integration/test_admit_together.py"
TOLD = "tests/integration/test_lanes_told.py"
DURABILITY = "tests/integration/test_durability.py"
HANDLING = "tests/unit/test_handling.py"
DISPATCH = "tests/unit/test_dispatch.py"
DELIVERY = "tests/integration/test_delivery.py"
POLICY = "tests/unit/test_policy.py"
REDELIVERY = "tests/gateway/test_redelivery.py"
LUA = "worker/lanes/lua"


@dataclass(frozen=True)
class Mutant:
    """One broken line. ``promise``: its number, see ``PROMISES``. ``caught_by``: pytest node ids."""

    name: str
    promise: int
    file: str
    old: str
    new: str
    caught_by: tuple[str, ...]


PROMISES = {
    1: "never twice",
    2: "never lost",
    3: "in order",
    4: "never early, never stale",
    5: "isolated",
    6: "secret",
    7: "obeyed",
    8: "honest",
}

MUTANTS = [
    # 1 never twice
    Mutant(
        "a later attempt is settled by anybody",
        1,
        f"{LUA}/settle.lua",
        "rec.state == 'sending' and (own or holds)",
        "rec.state == 'sending'",
        (f"{LANES}::TestLeases::test_a_predecessor_cannot_settle_a_later_attempt",),
    ),
    Mutant(
        "sending is not noted before the POST",
        1,
        f"{LUA}/lanes.lua",
        "'state', 'sending', 'token', token,",
        "'token', token,",
        (f"{LANES}::TestCheckout::test_sending_is_noted_before_anything_is_handed_out",),
    ),
    Mutant(
        "a lane is leased although another holds it",
        1,
        f"{LUA}/checkout.lua",
        "if at <= now or",
        "if true or",
        (f"{LANES}::TestCheckout::test_heads_come_in_order_and_one_at_a_time",),
    ),
    Mutant(
        "an older release takes what a newer one wrote for its own",
        1,
        "worker/lanes/queue.py",
        '"format": FORMAT,',
        '"format": 9,',
        ("tests/acceptance/test_newer_release.py::test_older_ones_refuse_in_one_line_and_touch_nothing",),
    ),
    Mutant(
        "a worker that is too old stays and takes rings away",
        2,
        "worker/steps.py",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.getpid()",
        ("tests/acceptance/test_newer_release.py::test_an_older_worker_ends_what_it_has_begun_and_goes",),
    ),
    Mutant(
        "an orphan is taken for a fresh head",
        1,
        f"{LUA}/lanes.lua",
        "rec.token ~= token, holds)",
        "false)",
        (f"{LANES}::TestLeases::test_a_silent_owner_leaves_an_orphan_to_be_judged",),
    ),
    Mutant(
        "an orphan is posted",
        1,
        "worker/handling.py",
        "if head.orphan:",
        "if False:",
        (f"{HANDLING}::test_an_orphan_is_judged_and_not_posted",),
    ),
    Mutant(
        "the lease is not looked at before the first byte",
        1,
        "worker/handling.py",
        "now + self._poster.deadline > job.asked_at + self._pace.lease",
        "False",
        (f"{HANDLING}::test_nothing_is_posted_under_a_lease_that_may_end_first",),
    ),
    Mutant(
        "every POST may begin",
        1,
        "worker/exchange.py",
        "if not self._may_begin():",
        "if False:",
        (f"{DELIVERY}::test_nothing_is_sent_without_leave",),
    ),
    Mutant(
        "a first byte is not noted",
        1,
        "worker/exchange.py",
        "        self.began = True",
        "        self.began = False",
        (f"{DELIVERY}::test_why_an_order_is_unknown",),
    ),
    Mutant(
        "ids are not claimed",
        1,
        f"{LUA}/intake.lua",
        "if order then texts[size + 1], texts[size + 2], size = order, holder, size + 2 end",
        "",
        (f"{LANES}::TestAdmit::test_same_id_same_fields_is_a_duplicate_and_told_of_the_first",),
    ),
    Mutant(
        "an entry of unknown fate is sent again",
        1,
        "worker/policy.py",
        "repeatable = action_class in (ActionClass.FULL, ActionClass.CANCEL)",
        "repeatable = True",
        (f"{POLICY}::test_after_unknown_only_what_is_harmless_goes_again",),
    ),
    Mutant(
        "a record that names another connector is handed out for ever",
        1,
        f"{LUA}/lanes.lua",
        "elseif rec.connector ~= lane or (",
        "elseif (",
        (f"{LANES}::TestCheckout::test_a_record_that_somebody_else_wrote_to_is_judged_once",),
    ),
    Mutant(
        "a claim that is not durable is handed out",
        1,
        "worker/lanes/scripts.py",
        "return reply, durability.met(waited)",
        "return reply, True",
        (f"{DURABILITY}::test_no_head_is_handed_out",),
    ),
    Mutant(
        "a repeated call is told too soon that it is durable",
        1,
        f"{LUA}/common.lua",
        "if A.durable then",
        "if false then",
        (f"{DURABILITY}::test_who_asks_again_on_another_connection_is_told_no_sooner",),
    ),
    Mutant(
        "an orphan is handed back to be sent again",
        1,
        "worker/lanes/queue.py",
        "for head in heads if not head.orphan]",
        "for head in heads]",
        (f"{DURABILITY}::test_an_orphan_is_not_made_a_waiting_signal",),
    ),
    Mutant(
        "a release frees a key that another holds by now",
        1,
        f"{LUA}/release.lua",
        "if held and owner(held) == id then",
        "if held then",
        (f"{DROP}::TestRelease::test_a_key_whose_window_is_over_is_its_next_holders",),
    ),
    Mutant(
        "a released key is claimed again by a resend",
        1,
        f"{LUA}/release.lua",
        "call('HDEL', signal_key(id), 'key')",
        "",
        (f"{DROP}::TestRelease::test_a_resend_does_not_claim_it_again",),
    ),
    # 2 never lost
    Mutant(
        "a lane waits for the retry of what was dropped",
        2,
        f"{LUA}/rare/dropping.lua",
        "if was_head then give_back(rec.connector) end",
        "",
        (f"{DROP}::TestDrop::test_a_lane_does_not_wait_for_the_retry_of_what_was_dropped",),
    ),
    Mutant(
        "an exit that never went out has entries dropped",
        2,
        f"{LUA}/rare/dropping.lua",
        "  overtaking().forget(rec)\n",
        "",
        (f"{DROP}::TestDrop::test_the_only_one_that_overtook_undoes_nothing_either",),
    ),
    Mutant(
        "a ring that could not be written counts as sent",
        2,
        f"{LUA}/rare/bell.lua",
        "  return lanes\nend",
        "  return silent\nend",
        (f"{RINGING}::test_a_ring_that_cannot_be_written_is_left_to_the_caller",),
    ),
    Mutant(
        "who waits in the ring queue is rung again and again",
        5,
        f"{LUA}/wake.lua",
        "if length > 0 then since = waiting_since(queue) end",
        "",
        (f"{LANES}::TestSweep::test_who_waits_in_the_ring_queue_is_not_lost",),
    ),
    Mutant(
        "a lost ring is not repeated",
        2,
        f"{LUA}/wake.lua",
        "call('ZREM', RUNG, lane) else ring(lane) end",
        "end",
        (f"{LANES}::TestSweep::test_a_lost_ring_is_repeated_after_patience",),
    ),
    Mutant(
        "a lease that ran out rings nobody",
        2,
        f"{LUA}/wake.lua",
        "expired = expired + 1 end\n  ring(lane)",
        "expired = expired + 1 end",
        (f"{LANES}::TestLeases::test_a_silent_owner_leaves_an_orphan_to_be_judged",),
    ),
    Mutant(
        "a lane is given back without a ring",
        2,
        f"{LUA}/common.lua",
        "or now, lane)\n  ring(lane)",
        "or now, lane)",
        (f"{LANES}::TestSettle::test_without_more_the_lane_is_given_back_and_rung",),
    ),
    Mutant(
        "what ended badly is not kept",
        2,
        f"{LUA}/common.lua",
        "call('ZADD', DEAD, now, rec.id)",
        "",
        (f"{LANES}::TestResolve::test_letters_are_kept_by_count",),
    ),
    Mutant(
        "a result is dropped when Redis is away",
        2,
        "worker/dispatch.py",
        "self._observer.trouble(what, error)\n            except",
        "return None\n            except",
        (f"{DISPATCH}::test_what_was_posted_is_written_down_however_long_redis_is_away",),
    ),
    Mutant(
        "lanes that were halted are forgotten at the resume",
        2,
        f"{LUA}/pause.lua",
        "if changed and not A.set then release_all() end",
        "",
        (f"{BRAKES}::TestPause::test_everything_waits_until_it_is_resumed",),
    ),
    Mutant(
        "a lane that is halted for no reason stays so",
        2,
        f"{LUA}/wake.lua",
        "if may_go(lane) then ring(lane) end",
        "",
        (f"{BRAKES}::TestPause::test_a_lane_that_is_halted_for_no_reason_is_found",),
    ),
    # 3 in order
    Mutant(
        "the last goes first",
        3,
        f"{LUA}/admit.lua",
        "redis.pcall('RPUSH', lane_key(",
        "redis.pcall('LPUSH', lane_key(",
        (f"{LANES}::TestCheckout::test_heads_come_in_order_and_one_at_a_time",),
    ),
    Mutant(
        "what makes others pointless does not find those that came with it",
        3,
        f"{LUA}/admit.lua",
        "    write_aside()\n    take_in(place)",
        "    take_in(place)",
        (f"{TOGETHER}::test_a_batch_does_what_its_signals_do_one_by_one",),
    ),
    Mutant(
        "a lane that somebody has spoilt takes signals and loses them",
        2,
        f"{LUA}/admit.lua",
        "  return 'spoilt'\nend",
        "  return 'in'\nend",
        (f"{TOGETHER}::TestSpoiltLane",),
    ),
    Mutant(
        "a batch is sent before the one ahead of it is answered",
        3,
        "producers/producer.py",
        "                    end()\n                    sending.begin()",
        "                    sending.begin()",
        (
            "tests/unit/producers/test_producer_overlap.py"
            "::test_the_next_batch_is_checked_before_the_answer_and_sent_after_it",
        ),
    ),
    Mutant(
        "what fell due does not go before what is sent again",
        3,
        f"{LUA}/resolve.lua",
        "promote(rec.connector)",
        "",
        (f"{LANES}::TestResolve::test_what_fell_due_before_the_resend_goes_first",),
    ),
    Mutant(
        "equal due times forget the order of admission",
        3,
        f"{LUA}/rare/calendar.lua",
        "'%016.0f', rec.seq)",
        "'%016.0f', 1e6 - rec.seq)",
        (f"{LANES}::TestCalendar::test_equal_due_times_keep_the_order_of_admission",),
    ),
    # 4 never early, never stale
    Mutant(
        "a delayed signal joins its lane at once",
        4,
        f"{LUA}/alone.lua",
        "if rec.state == 'delayed' then calendar().delay(rec) else join(rec) end",
        "join(rec)",
        (f"{LANES}::TestCalendar::test_never_before_its_time_and_in_order_of_due_time",),
    ),
    Mutant(
        "a stale entry is handed out",
        4,
        f"{LUA}/lanes.lua",
        "elseif rec.expires and now > rec.expires then",
        "elseif false then",
        (f"{LANES}::TestCheckout::test_a_stale_entry_expires_and_frees_its_id",),
    ),
    Mutant(
        "the expiry is not looked at before the POST",
        4,
        "worker/handling.py",
        "return expires is None or job.redis_now_ms(now) <= expires",
        "return True",
        (f"{HANDLING}::test_an_entry_that_becomes_stale_while_connecting_is_withheld",),
    ),
    Mutant(
        "the expiry is not looked at before the first byte",
        4,
        "worker/handling.py",
        "return expires is None or job.redis_now_ms(now) <= expires",
        "return True",
        (f"{HANDLING}::test_an_entry_that_becomes_stale_while_connecting_is_withheld",),
    ),
    Mutant(
        "a retry does not wait its time",
        4,
        f"{LUA}/common.lua",
        "call('ZADD', WAKEUPS, at, lane)",
        "call('ZADD', WAKEUPS, now, lane)",
        (f"{LANES}::TestDefer::test_a_retry_keeps_its_place_and_waits_its_time",),
    ),
    # 5 isolated
    Mutant(
        "a flooded lane keeps its place for ever",
        5,
        "worker/handling.py",
        "return job.lane_count < self._pace.quantum_signals and",
        "return True or",
        (f"{HANDLING}::test_a_busy_lane_gives_others_a_turn",),
    ),
    Mutant(
        "jobs wait for who is stuck",
        5,
        "worker/crew.py",
        "if self._overseeing and (stuck or not self._full()):",
        "if False:",
        ("tests/unit/test_crew.py::test_jobs_behind_one_that_is_stuck_are_not",),
    ),
    Mutant(
        "a thread goes to rest although a job has come",
        2,
        "worker/crew.py",
        """        with self._lock:  # what is put from now on finds this thread resting
            if self._jobs:
                return False
""",
        """        with self._lock:
""",
        ("tests/unit/test_crew.py::test_a_job_that_comes_as_a_thread_goes_to_rest_is_done",),
    ),
    Mutant(
        "a spoilt lane takes its batch along",
        5,
        "worker/dispatch.py",
        "if len(names) == 1:",
        "if names:",
        (f"{DISPATCH}::test_a_spoilt_lane_spoils_only_itself",),
    ),
    Mutant(
        "a lane that waits for its retry keeps its place",
        5,
        "worker/dispatch.py",
        "self._room.leave(len(deferred))",
        "",
        (f"{DISPATCH}::test_a_retry_arms_a_wake_up_and_frees_the_place",),
    ),
    Mutant(
        "one failing connector stops all",
        5,
        f"{LUA}/rare/circuit.lua",
        "call('SCARD', STRUGGLING) >= B.circuit_lanes",
        "true",
        (f"{BRAKES}::TestCircuit::test_one_connector_failing_often_does_not_open_it",),
    ),
    Mutant(
        "one connector's rate is everybody's",
        5,
        f"{LUA}/rare/rates.lua",
        "wait_for(P .. 'bucket:' .. lane,",
        "wait_for(P .. 'bucket:',",
        (f"{BRAKES}::TestRates::test_a_connector_gets_its_burst_then_its_rate",),
    ),
    # 6 secret
    Mutant(
        "a dead letter shows its token",
        6,
        "worker/lanes/foreign.py",
        "shown[name] = HIDDEN if name == _TOKEN else _value(name, value, secrets)",
        "shown[name] = value",
        ("tests/unit/test_foreign.py::test_the_token_is_masked_wherever_it_was_copied_to",),
    ),
    Mutant(
        "an error quotes the token",
        6,
        "worker/contract/hiding.py",
        "text = text.replace(secret, HIDDEN)",
        "pass",
        ("tests/unit/contract/test_contract_secrecy.py::test_a_token_made_of_digits_is_masked",),
    ),
    Mutant(
        "a signal's text shows its token",
        6,
        "worker/contract/shape.py",
        "return text.replace(token, HIDDEN).replace(repr(token)[1:-1], HIDDEN)",
        "return text",
        ("tests/unit/contract/test_contract_secrecy.py::test_repr_and_str_show_no_token",),
    ),
    # 7 obeyed
    Mutant(
        "a paused signal is handed out",
        7,
        f"{LUA}/lanes.lua",
        "elseif paused(lane, rec.class) then",
        "elseif false then",
        (f"{BRAKES}::TestPause::test_everything_waits_until_it_is_resumed",),
    ),
    Mutant(
        "a pause does not wait for what workers have in hand",
        7,
        f"{LUA}/pause.lua",
        "items[#items + 1] = { lane = lane, id = id }",
        "",
        (f"{BRAKES}::TestPause::test_what_is_in_flight_is_told_until_it_has_ended",),
    ),
    Mutant(
        "a pause of entries holds exits too",
        7,
        f"{LUA}/brakes.lua",
        "return class == 'entry' and (scopes[2] or of_lane[2]) and true or false",
        "return (scopes[2] or of_lane[2]) and true or false",
        (f"{BRAKES}::TestPauseOfEntries::test_exits_overtake",),
    ),
    Mutant(
        "one reason less ends a pause for two",
        7,
        f"{LUA}/pause.lua",
        "if label ~= A.label then",
        "if false then",
        (f"{BRAKES}::TestPause::test_two_reasons_hold_until_both_are_gone",),
    ),
    # 8 honest
    Mutant(
        "nobody can tell for how long a doubt has waited",
        8,
        f"{LUA}/common.lua",
        "if outcome == 'unknown' then call('ZADD', UNKNOWN, now, rec.id) end",
        "",
        (f"{TOLD}::TestDeadLetters::test_those_of_unknown_fate_are_known_by_age_until_decided",),
    ),
    Mutant(
        "a failed exit looks like a missed entry",
        8,
        "worker/cli/risk.py",
        "        *_failed_exits(census),\n",
        "",
        ("tests/unit/cli/test_cli_risk.py::test_failed_exits_are_worse_than_missed_entries",),
    ),
    Mutant(
        "a worker that takes nothing looks alive",
        8,
        "worker/watchdog.py",
        "up and work and progress.free_places > 0",
        "False",
        ("tests/unit/test_watchdog.py::test_wedged",),
    ),
    Mutant(
        "a call acts although its caller has given it up",
        8,
        f"{LUA}/basis.lua",
        "if now > (tonumber(ARGV[3]) or now) then",
        "if false then",
        ("tests/integration/test_late_calls.py::test_a_copy_that_was_held_back_does_nothing",),
    ),
    Mutant(
        "what broke off after it began is called unsent",
        8,
        "worker/delivery.py",
        "Verdict.UNKNOWN if exchange.began else Verdict.UNSENT",
        "Verdict.UNSENT",
        (f"{DELIVERY}::test_why_an_order_is_unknown",),
    ),
    Mutant(
        "an answer that was cut short is believed",
        8,
        "worker/answer.py",
        "if size <= limit and self.length:",
        "if False:",
        (f"{DELIVERY}::test_whatever_comes_back_is_a_verdict",),
    ),
    Mutant(
        "what comes behind an answer is read as the next one",
        8,
        "worker/answer.py",
        " and not self._trailed",
        "",
        (f"{DELIVERY}::test_no_answer_is_taken_for_that_to_the_next_order",),
    ),
    Mutant(
        "an answer with a line that is no field leaves a connection to be used again",
        8,
        "worker/answer.py",
        "self._doubtful = doubtful or",
        "self._doubtful =",
        (f"{DELIVERY}::test_no_answer_is_taken_for_that_to_the_next_order",),
    ),
    Mutant(
        "any 2xx is called accepted",
        8,
        "worker/verdict.py",
        "if said == reading.expected_body else Verdict.UNKNOWN",
        "if said is not None else Verdict.UNKNOWN",
        ("tests/unit/test_verdict.py::test_verdict_on_an_answer",),
    ),
    Mutant(
        "an id is free although its order may exist",
        8,
        f"{LUA}/basis.lua",
        "unknown = 'dead'",
        "unknown = 'dead, free'",
        (f"{LANES}::TestSettle::test_ids_are_freed_only_when_no_order_can_exist",),
    ),
    Mutant(
        "a refusal hides an earlier doubt",
        8,
        "worker/policy.py",
        "    if unknowns:\n",
        "    if False:\n",
        (f"{POLICY}::test_a_later_refusal_does_not_settle_an_earlier_unknown",),
    ),
    Mutant(
        "what may have been taken is dropped",
        8,
        f"{LUA}/rare/dropping.lua",
        " and (rec.unknowns or 0) == 0",
        "",
        (f"{DROP}::TestDrop::test_what_may_have_been_taken_is_not_hidden",),
    ),
    Mutant(
        "a text is forgotten although its answer may not have arrived",
        1,
        "producers/gateway/webhook.py",
        "if gone or steady() - arrived > IN_TIME:",
        "if False:",
        (f"{REDELIVERY}::test_an_answer_that_nobody_waited_for_leaves_the_text_known",),
    ),
    Mutant(
        "an order without an id is not known by its text",
        1,
        "producers/gateway/webhook.py",
        "text = text_of(body) if given is None and _is_nameless_order(signal) else None",
        "text = None",
        (f"{REDELIVERY}::test_the_answer_of_redis_is_lost",),
    ),
    Mutant(
        "what may have been taken is told to be not taken",
        8,
        "worker/lanes/redis.py",
        "                if not had_no_effect(error):\n",
        "                if False:\n",
        (f"{REDELIVERY}::test_what_is_not_known_is_a_504_and_safe_to_repeat",),
    ),
    Mutant(
        "an asyncio send that was overtaken by its patience is called not sent",
        8,
        "producers/aio.py",
        "if len(withdrawn) == len(works):",
        "if True:",
        (
            "tests/unit/producers/test_aio.py::TestBounds::test_what_has_not_begun_in_time_was_certainly_not_sent",
        ),
    ),
    Mutant(
        "held signals are taken in the order of their admission",
        3,
        f"{LUA}/rare/dropping.lua",
        "return rec.held < by.held end",
        "return rec.seq < by.seq end",
        (
            "tests/integration/test_lanes_hold.py::test_a_close_that_came_first_goes_first_and_spares_the_open",
        ),
    ),
    Mutant(
        "a key that names another request lets a part of this one in",
        1,
        "producers/gateway/idempotency.py",
        "if known not in (None, content):",
        "if False:",
        ("tests/gateway/test_idempotency.py::test_any_other_request_is_refused_whole",),
    ),
    Mutant(
        "whoever has a token may speak for any account",
        6,
        "producers/gateway/recipients.py",
        "if known is None or not fits:",
        "if known is None:",
        ("tests/gateway/test_access.py::test_the_webhook_goes_by_tokens",),
    ),
]
