"""The queue scripts against a real server, call by call."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.stack import Server
from tests.integration.desk import Desk, signal
from worker.errors import QueueUnavailable
from worker.lanes import Admission, Deferral, Lanes, Outcome, Settlement, Timing
from worker.lanes.hearing import Hearing
from worker.lanes.redis import connect
from worker.lanes.scripts import Script
from worker.rings import CeleryBell, make_app


class TestAdmit:
    def test_an_idle_lane_is_rung_once(self, desk: Desk) -> None:
        first = desk.lanes.admit([signal(), signal(), signal("other")])
        second = desk.lanes.admit([signal()])
        assert first.rings == ("acct", "other")
        assert second.rings == ()

    def test_same_id_same_fields_is_a_duplicate_and_told_of_the_first(self, desk: Desk) -> None:
        first, again = signal(order_id="o1"), signal(order_id="o1")
        desk.admit(first)
        (result,) = desk.lanes.admit([again]).results
        assert (result.status, result.first_id, result.state) == ("duplicate", first.id, "waiting")
        assert desk.record(again.id) == {}

    def test_same_id_other_fields_is_a_conflict(self, desk: Desk) -> None:
        assert desk.admit(signal(order_id="o1"), signal(order_id="o1", fingerprint="g")) == [
            "accepted",
            "conflict",
        ]

    def test_a_cancel_of_all_drops_also_what_a_delayed_one_had_spared(self, desk: Desk) -> None:
        everything = {"action": "cancelAll", "action_class": "cancel", "drops": "all"}
        desk.admit(signal())
        assert desk.head() is not None
        spared = [signal(), signal()]
        desk.admit(signal(delay_ms=1, **everything), *spared)
        desk.until(desk.redis_ms() + 3)
        desk.lanes.wake()
        desk.admit(signal(**everything))
        assert [desk.record(one.id)["outcome"] for one in spared] == ["cancelled"] * 2

    def test_what_is_due_goes_first_however_much_it_is(self, desk: Desk) -> None:
        desk.admit(*(signal(delay_ms=1) for _ in range(250)))
        desk.until(desk.redis_ms() + 3)
        last = signal()
        desk.admit(last)
        for _ in range(3):
            desk.lanes.wake()
        ids = desk.client.lrange(f"{desk.prefix}lane:acct", 0, -1)
        assert len(ids) == 251
        assert ids[-1].decode() == last.id

    def test_each_close_drops_the_delayed_opens_before_it(self, desk: Desk) -> None:
        # given: a close that falls due, before an open that does not
        close = {"action": "closeLong", "action_class": "full", "drops": "openLong"}
        early, opened = signal(delay_ms=1, **close), signal(delay_ms=60_000)
        desk.admit(early, opened)
        desk.until(desk.redis_ms() + 3)
        # when: the same call brings that one into its lane and takes a further close in
        desk.admit(signal(**close))
        assert desk.record(opened.id).get("outcome") == "cancelled"
        # and: one batch closes, opens, closes and opens
        between, kept = signal(delay_ms=60_000), signal(delay_ms=60_000)
        desk.admit(signal(**close), between, signal(**close), kept)
        outcomes = [desk.record(one.id).get("outcome") for one in (between, kept)]
        assert outcomes == ["cancelled", None]

    def test_ids_are_scoped_by_connector_and_kind(self, desk: Desk) -> None:
        statuses = desk.admit(
            signal("a", order_id="x"),
            signal("b", order_id="x"),
            signal("a", idempotency_key="x"),
            signal("a:1", order_id="b"),
            signal("a", order_id="1:b"),
        )
        assert statuses == ["accepted"] * 5

    def test_an_idempotency_key_holds_beside_the_order_id(self, desk: Desk) -> None:
        desk.admit(signal(order_id="o1", idempotency_key="k1"))
        assert desk.admit(signal(order_id="o2", idempotency_key="k1")) == ["duplicate"]

    def test_asking_again_after_a_lost_reply_changes_nothing(self, desk: Desk) -> None:
        batch = [signal(order_id="o1"), signal(delay_ms=5000)]
        first = desk.lanes.admit(batch)
        again = desk.lanes.admit(batch)
        assert again.results == first.results
        assert again.rings == first.rings == ("acct",)
        assert again.slots_ms == first.slots_ms
        assert desk.client.llen(f"{desk.prefix}lane:acct") == 1

    @pytest.mark.parametrize("name", ["a:b", "a{b}", "*", "sp ace", "наш 🚀", "lane:x", "'\"\\"])
    def test_any_name_is_a_lane_of_its_own(self, desk: Desk, name: str) -> None:
        desk.admit(signal(name, order_id="o"), signal("plain", order_id="o"))
        head = desk.head(name)
        assert head is not None
        assert head.lane == name
        assert desk.settle(head) == ("done", None)
        assert desk.head("plain") is not None


class TestCheckout:
    def test_heads_come_in_order_and_one_at_a_time(self, desk: Desk) -> None:
        sent = [signal() for _ in range(3)]
        desk.admit(*sent)
        head = desk.head()
        assert head is not None
        assert desk.head() is None, "the lane is leased"
        seen = [head.id]
        while head:
            _, head = desk.settle(head, more=True)
            if head:
                seen.append(head.id)
        assert seen == [one.id for one in sent]

    def test_sending_is_noted_before_anything_is_handed_out(self, desk: Desk) -> None:
        one = signal()
        desk.admit(one)
        head = desk.head()
        assert head is not None
        record = desk.record(one.id)
        assert (record["state"], record["attempts"], record["token"]) == ("sending", "1", head.token)

    def test_the_same_caller_gets_the_same_head_again(self, desk: Desk) -> None:
        desk.admit(signal())
        first = desk.lanes.checkout(["acct"], "mine")
        assert desk.lanes.checkout(["acct"], "mine").heads == first.heads

    def test_a_stale_entry_expires_and_frees_its_id(self, desk: Desk) -> None:
        old = signal(order_id="o1", max_age_ms=1)
        fresh = signal()
        desk.admit(old, fresh)
        desk.until(desk.redis_ms() + 3)
        answer = desk.lanes.checkout(["acct"], "t")
        assert [head.id for head in answer.heads] == [fresh.id]
        assert [(end.id, end.outcome) for end in answer.ended] == [(old.id, Outcome.EXPIRED)]
        assert desk.record(old.id)["state"] == "dead"
        assert desk.admit(signal(order_id="o1")) == ["accepted"]

    def test_thousands_of_stale_entries_do_not_hold_the_server(self, desk: Desk) -> None:
        desk.admit(*(signal(max_age_ms=1) for _ in range(1000)))
        last = signal()
        desk.admit(last)
        desk.until(desk.redis_ms() + 3)
        rounds = 0
        while (head := desk.head()) is None:
            rounds += 1
        assert head.id == last.id
        assert rounds == 1000 // 200

    def test_a_vanished_record_does_not_block_its_lane(self, desk: Desk) -> None:
        gone, there = signal(), signal()
        desk.admit(gone, there)
        desk.client.delete(f"{desk.prefix}signal:{gone.id}")
        head = desk.head()
        assert head is not None
        assert head.id == there.id

    def test_a_spoilt_body_spoils_only_itself(self, desk: Desk) -> None:
        one, two = signal("a"), signal("b")
        desk.admit(one, two)
        desk.client.set(f"{desk.prefix}body:{one.id}", b"\xff\xfe{")
        heads = desk.lanes.checkout(["a", "b"], "t").heads
        assert [head.id for head in heads] == [one.id, two.id]
        assert heads[0].body.encode("utf-8", "surrogateescape") == b"\xff\xfe{"

    @pytest.mark.parametrize(
        "fields", [{"connector": "other"}, {"state": "finished"}, {"state": "dead", "outcome": "unknown"}]
    )
    def test_a_record_that_somebody_else_wrote_to_is_judged_once(
        self, desk: Desk, fields: dict[str, str]
    ) -> None:
        spoilt, behind = signal("a", order_id="o"), signal("a")
        desk.admit(spoilt, behind, signal("other"))
        desk.client.hset(f"{desk.prefix}signal:{spoilt.id}", mapping=fields)
        head = desk.head("a")
        assert head is not None
        assert (head.id, head.lane, head.orphan) == (spoilt.id, "a", True), "to be judged, not posted"
        status, following = desk.settle(head, Outcome.UNKNOWN, more=True)
        assert status == "done"
        assert following is not None
        assert following.id == behind.id
        assert desk.client.llen(f"{desk.prefix}lane:other") == 1

    @pytest.mark.parametrize("field", ["seq", "admitted", "due", "window", "attempts", "unknowns", "expires"])
    @pytest.mark.parametrize("value", ["x", "nan", "1e999", "9" * 400])
    def test_a_number_that_is_none_holds_nothing_up(self, desk: Desk, field: str, value: str) -> None:
        spoilt, behind = signal("a"), signal("a")
        desk.admit(spoilt, behind)
        desk.client.hset(f"{desk.prefix}signal:{spoilt.id}", field, value)
        head = desk.head("a")
        assert head is not None
        if field == "expires":
            assert head.id == behind.id, "it is taken for stale"
            return
        assert head.id == spoilt.id
        assert head.unknowns == (field == "unknowns"), "in doubt"
        assert desk.lanes.defer([Deferral(head, 0, refund=True, unknown=True)]).results == ("done",)
        head = desk.head("a")
        assert head is not None
        assert (head.id, head.attempt) == (spoilt.id, 1)
        assert head.unknowns == 1 + (field == "unknowns")

    def test_what_may_have_been_taken_does_not_expire_into_certainty(self, desk: Desk) -> None:
        close = signal(action="closeLong", action_class="full", max_age_ms=500, order_id="o1")
        desk.admit(close)
        head = desk.head()
        assert head is not None
        desk.lanes.defer([Deferral(head, 0, unknown=True)])
        desk.until(desk.redis_ms() + 505)
        assert desk.head() is None
        assert desk.record(close.id)["outcome"] == "unknown"
        assert desk.admit(signal(order_id="o1")) == ["duplicate"]


class TestSettle:
    def test_an_accepted_signal_leaves_a_compact_record_and_its_claim(self, desk: Desk) -> None:
        one = signal(order_id="o1")
        desk.admit(one)
        head = desk.head()
        assert head is not None
        assert desk.settle(head) == ("done", None)
        assert desk.record(one.id)["state"] == "finished"
        assert desk.keys("body") == []
        assert desk.client.pttl(f"{desk.prefix}signal:{one.id}") > 0
        (result,) = desk.lanes.admit([signal(order_id="o1")]).results
        assert (result.status, result.state) == ("duplicate", "accepted")

    def test_the_window_runs_from_admission(self, desk: Desk) -> None:
        desk.admit(signal(order_id="o1", window_ms=150))
        desk.until(desk.redis_ms() + 160)
        assert desk.admit(signal(order_id="o1")) == ["duplicate"], (
            "claims outlast their window while the signal waits"
        )
        head = desk.head()
        assert head is not None
        desk.settle(head)
        assert desk.admit(signal(order_id="o1")) == ["accepted"]

    @pytest.mark.parametrize(
        ("outcome", "freed"),
        [
            (Outcome.ACCEPTED, False),
            (Outcome.UNKNOWN, False),
            (Outcome.REJECTED, True),
            (Outcome.UNSENT, True),
            (Outcome.INVALID, True),
            (Outcome.EXPIRED, True),
        ],
    )
    def test_ids_are_freed_only_when_no_order_can_exist(
        self, desk: Desk, outcome: Outcome, freed: bool
    ) -> None:
        desk.admit(signal(order_id="o1", idempotency_key="k"))
        head = desk.head()
        assert head is not None
        desk.settle(head, outcome)
        assert desk.admit(signal(order_id="o1", idempotency_key="k")) == [
            "accepted" if freed else "duplicate"
        ]

    def test_a_foreign_claim_is_never_freed(self, desk: Desk) -> None:
        first = signal(order_id="o1", window_ms=1)
        desk.admit(first)
        head = desk.head()
        assert head is not None
        desk.client.set(f"{desk.prefix}claim:order:4:acct:o1", "somebody else")
        desk.settle(head, Outcome.REJECTED)
        assert desk.client.get(f"{desk.prefix}claim:order:4:acct:o1") == b"somebody else"

    def test_asking_again_gives_the_same_next_head(self, desk: Desk) -> None:
        desk.admit(signal(), signal())
        head = desk.head()
        assert head is not None
        first = desk.settle(head, more=True)
        assert desk.settle(head, more=True) == first
        assert int(desk.client.hget(f"{desk.prefix}totals", "accepted") or 0) == 1

    def test_without_more_the_lane_is_given_back_and_rung(self, desk: Desk) -> None:
        desk.admit(signal(), signal())
        head = desk.head()
        assert head is not None
        answer = desk.lanes.settle([Settlement(head, Outcome.ACCEPTED)])
        assert answer.rings == ("acct",)
        assert desk.head() is not None

    def test_an_idle_lane_leaves_no_trace(self, desk: Desk) -> None:
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        desk.settle(head, more=True)
        assert desk.keys("lane") == []
        for index in ("lanes", "rung", "wakeups", "leases", "calendar"):
            assert desk.client.exists(f"{desk.prefix}{index}") == 0, index


class TestDefer:
    def test_a_retry_keeps_its_place_and_waits_its_time(self, desk: Desk) -> None:
        first, second = signal(), signal()
        desk.admit(first, second)
        head = desk.head()
        assert head is not None
        answer = desk.lanes.defer([Deferral(head, 120, note='{"attempt":1}')])
        assert answer.results == ("done",)
        assert len(answer.slots_ms) == 1
        assert desk.head() is None, "its time has not come"
        desk.until(answer.now_ms + 120)
        assert desk.lanes.wake().rings == ("acct",)
        again = desk.head()
        assert again is not None
        assert (again.id, again.attempt) == (first.id, 2)
        assert desk.record(first.id)["history"] == '{"attempt":1}'

    def test_a_refund_does_not_count_as_an_attempt(self, desk: Desk) -> None:
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        assert desk.lanes.defer([Deferral(head, 0, refund=True)]).rings == ("acct",)
        again = desk.head()
        assert again is not None
        assert again.attempt == 1

    def test_only_the_holder_may_defer(self, desk: Desk) -> None:
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        assert desk.lanes.defer([Deferral(replace(head, token="stale"), 0)]).results == ("stale",)
        assert desk.record(head.id)["state"] == "sending"

    def test_history_is_bounded(self, desk: Desk) -> None:
        one = signal()
        desk.admit(one)
        for number in range(15):
            head = desk.head()
            assert head is not None
            desk.lanes.defer([Deferral(head, 0, note=f"line {number}")])
        assert desk.record(one.id)["history"].split("\n") == [f"line {number}" for number in range(5, 15)]


class TestLeases:
    def test_a_silent_owner_leaves_an_orphan_to_be_judged(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(lease_ms=50)
        desk.admit(signal())
        lost = desk.head()
        assert lost is not None
        assert not lost.orphan
        desk.until(desk.redis_ms() + 55)
        answer = desk.lanes.wake()
        assert (answer.rings, answer.leases_expired) == (("acct",), 1)
        found = desk.head()
        assert found is not None
        assert (found.id, found.attempt, found.orphan) == (lost.id, 1, True)

    def test_the_orphan_is_still_one_for_the_next_owner(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(lease_ms=20)
        desk.admit(signal())
        for expected in (False, True, True):
            head = desk.head()
            assert head is not None
            assert head.orphan is expected
            desk.until(desk.redis_ms() + 25)

    def test_a_late_answer_settles_the_unknown_of_its_own_attempt(
        self, make_desk: Callable[..., Desk]
    ) -> None:
        desk = make_desk(lease_ms=20)
        one = signal(order_id="o1")
        desk.admit(one)
        slow = desk.head()
        assert slow is not None
        desk.until(desk.redis_ms() + 25)
        judge = desk.head()
        assert judge is not None
        assert desk.settle(judge, Outcome.UNKNOWN)[0] == "done"
        assert desk.record(one.id)["outcome"] == "unknown"
        assert desk.settle(slow, Outcome.ACCEPTED, more=True) == ("late", None)
        assert desk.record(one.id)["outcome"] == "accepted"
        assert desk.client.zcard(f"{desk.prefix}dead") == 0

    def test_an_answer_before_the_judgement_wins(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(lease_ms=20)
        one, two = signal(), signal()
        desk.admit(one, two)
        slow = desk.head()
        assert slow is not None
        desk.until(desk.redis_ms() + 25)
        judge = desk.head()
        assert judge is not None
        assert desk.settle(slow, Outcome.ACCEPTED, more=True) == ("done", None)
        assert desk.settle(judge, Outcome.UNKNOWN, more=True) == ("stale", None), "nothing is left to judge"
        assert desk.record(one.id)["outcome"] == "accepted"
        head = desk.head()
        assert head is not None
        assert head.id == two.id, "and the lane goes on"

    def test_a_predecessor_cannot_settle_a_later_attempt(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(lease_ms=20)
        one = signal(action="closeLong", action_class="full")
        desk.admit(one)
        slow = desk.head()
        assert slow is not None
        desk.until(desk.redis_ms() + 25)
        judge = desk.head()
        assert judge is not None
        desk.lanes.defer([Deferral(judge, 0, unknown=True)])
        second = desk.head()
        assert second is not None
        assert (second.attempt, second.unknowns, second.orphan) == (2, 1, False)
        assert desk.settle(slow, Outcome.REJECTED) == ("stale", None)
        assert desk.record(one.id)["state"] == "sending"

    def test_a_slow_owner_whom_nobody_replaced_goes_on(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(lease_ms=20)
        desk.admit(signal(), signal())
        slow = desk.head()
        assert slow is not None
        desk.until(desk.redis_ms() + 25)
        desk.lanes.wake()
        status, head = desk.settle(slow, more=True)
        assert status == "done"
        assert head is not None
        assert desk.index_of() == {"wakeups"}


class TestCalendar:
    def test_never_before_its_time_and_in_order_of_due_time(self, desk: Desk) -> None:
        late, early, now = signal(delay_ms=120), signal(delay_ms=60), signal()
        answer = desk.lanes.admit([late, early, now])
        head = desk.head()
        assert head is not None
        assert head.id == now.id
        assert desk.settle(head, more=True) == ("done", None)
        desk.until(answer.now_ms + 61)
        assert desk.lanes.wake().rings == ("acct",)
        head = desk.head()
        assert head is not None
        assert head.id == early.id
        desk.until(answer.now_ms + 121)
        _, head = desk.settle(head, more=True)
        assert head is not None
        assert head.id == late.id, "whoever touches a lane brings in what is due"

    def test_what_fell_due_goes_before_what_is_admitted_after(self, desk: Desk) -> None:
        delayed, later = signal(delay_ms=20), signal()
        answer = desk.lanes.admit([delayed])
        desk.until(answer.now_ms + 21)
        desk.admit(later)
        head = desk.head()
        assert head is not None
        assert head.id == delayed.id

    def test_equal_due_times_keep_the_order_of_admission(self, desk: Desk) -> None:
        sent = [signal(delay_ms=30) for _ in range(12)]
        answer = desk.lanes.admit(sent)
        desk.until(answer.now_ms + 31)
        head, seen = desk.head(), []
        while head:
            seen.append(head.id)
            _, head = desk.settle(head, more=True)
        assert seen == [one.id for one in sent]

    def test_one_countdown_per_slot(self, desk: Desk) -> None:
        answer = desk.lanes.admit([signal(f"c{n}", delay_ms=1000) for n in range(100)])
        assert len(answer.slots_ms) == 1
        assert 0 <= answer.slots_ms[0] - (answer.now_ms + 1001) < desk.timing.slot_ms

    def test_nothing_is_armed_beyond_the_horizon_until_the_sweep(
        self, make_desk: Callable[..., Desk]
    ) -> None:
        desk = make_desk(horizon_ms=100)
        answer = desk.lanes.admit([signal(delay_ms=150)])
        assert answer.slots_ms == ()
        assert desk.lanes.sweep(1).slots_ms == ()
        desk.until(answer.now_ms + 61)
        (slot,) = desk.lanes.sweep(1).slots_ms
        assert 0 <= slot - (answer.now_ms + 151) < desk.timing.slot_ms

    def test_the_next_of_a_connector_is_armed_when_one_is_done(self, desk: Desk) -> None:
        answer = desk.lanes.admit([signal(delay_ms=20), signal(delay_ms=700)])
        desk.until(answer.slots_ms[0])
        assert len(desk.lanes.wake().slots_ms) == 1

    def test_more_than_one_call_handles_is_told(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(limit=3)
        answer = desk.lanes.admit([signal(f"c{n}", delay_ms=10) for n in range(7)])
        desk.until(answer.now_ms + 11)
        rounds = [desk.lanes.wake() for _ in range(3)]
        assert [one.more for one in rounds] == [True, True, False]
        assert sum(len(one.rings) for one in rounds) == 7


def ringing(desk: Desk) -> Lanes:
    """The same queue for a sender whose rings go out with its signals."""
    bell = CeleryBell(make_app("redis://localhost/0", desk.prefix))
    return Lanes(desk.client, prefix=desk.prefix, timing=desk.timing, ring=bell.message)


class TestSweep:
    def test_a_lost_ring_is_repeated_after_patience(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(patience_ms=40)
        answer = desk.lanes.admit([signal()])
        assert desk.lanes.sweep(1).rings == ()
        desk.until(answer.now_ms + 45)
        swept = desk.lanes.sweep(1)
        assert (swept.rings, swept.rings_lost) == (("acct",), 1)

    def test_who_waits_in_the_ring_queue_is_not_lost(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(patience_ms=1)
        answer = ringing(desk).admit([signal(f"c{n}") for n in range(40)])
        desk.until(answer.now_ms + 10)
        assert desk.lanes.sweep(1).rings == ()

    def test_what_was_rung_long_before_all_that_waits_is_lost(self, make_desk: Callable[..., Desk]) -> None:
        # given: three rings, of which the first is lost
        desk = make_desk(patience_ms=100)
        for number in range(3):
            answer = ringing(desk).admit([signal(f"c{number}")])
        now = answer.now_ms
        desk.client.zadd(f"{desk.prefix}rung", {"c0": now - 1000, "c1": now - 950, "c2": now - 500})
        desk.client.rpop(f"{desk.prefix}rings")
        # then: it was rung not long enough before the second, which is the oldest that waits
        assert desk.lanes.sweep(1).rings == ()
        # but: before the third, when the second is lost, too
        desk.client.rpop(f"{desk.prefix}rings")
        desk.until(desk.redis_ms() + 5)
        swept = desk.lanes.sweep(1)
        assert (swept.rings, swept.rings_lost) == (("c0", "c1"), 2)

    def test_a_ring_whose_lanes_were_served_tells_nothing(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(patience_ms=20)
        answer = desk.lanes.admit([signal("lost")])
        ringing(desk).admit([signal("served")])
        assert desk.head("served") is not None
        desk.until(answer.now_ms + 25)
        assert desk.lanes.sweep(1).rings == ("lost",)

    @pytest.mark.parametrize(
        "body", ["", "{}", "[]", "[1]", "[[1]]", "[[[1]], {}]", "[[[null]]]", '[[["x"]]]']
    )
    def test_messages_of_any_kind_do_not_stop_a_sweep(
        self, make_desk: Callable[..., Desk], body: str
    ) -> None:
        desk = make_desk(patience_ms=1)
        answer = desk.lanes.admit([signal()])
        desk.client.rpush(f"{desk.prefix}rings", b"\xff", "7", json.dumps({"body": body}))
        desk.until(answer.now_ms + 5)
        assert desk.lanes.sweep(1).rings == ("acct",)

    def test_a_crowded_ring_queue_means_waiting_not_lost(self, make_desk: Callable[..., Desk]) -> None:
        # given: messages out of which nobody can read who waits
        desk = make_desk(patience_ms=1000, crowd=5)
        answer = desk.lanes.admit([signal()])
        desk.client.zadd(f"{desk.prefix}rung", {"acct": answer.now_ms - 5000})
        desk.client.rpush(f"{desk.prefix}rings", *range(5))
        assert desk.lanes.sweep(1).rings == ()

    def test_a_lost_ring_is_found_even_in_a_lasting_crowd(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(patience_ms=2, crowd=5, limit=20)
        answer = desk.lanes.admit([signal(f"c{n}") for n in range(10)])
        desk.client.rpush(f"{desk.prefix}rings", *range(5))
        desk.until(answer.now_ms + 25)
        assert len(desk.lanes.sweep(1).rings) == 2, "a tenth of the limit"

    def test_a_sweep_ends_no_lease_that_runs(self, make_desk: Callable[..., Desk]) -> None:
        # given: somebody else has noted a lane as rung long ago that is being worked on
        desk = make_desk(patience_ms=10)
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        desk.client.zadd(f"{desk.prefix}rung", {"acct": 1})
        # then
        assert desk.lanes.sweep(1).rings == ()
        assert desk.index_of() == {"wakeups"}
        assert desk.head() is None
        assert desk.settle(head)[0] == "done"

    def test_one_sweep_per_interval(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(patience_ms=1)
        answer = desk.lanes.admit([signal()])
        desk.until(answer.now_ms + 5)
        assert desk.lanes.sweep(60_000).rings == ("acct",)
        desk.until(desk.redis_ms() + 5)
        assert desk.lanes.sweep(60_000).rings == ()


class TestSupersede:
    def test_a_cancel_drops_the_waiting_order_and_goes_out_itself(self, desk: Desk) -> None:
        order = signal(order_id="o1")
        cancel = signal(action="cancel", action_class="cancel", drops="order", target="o1")
        desk.admit(order)
        answer = desk.lanes.admit([cancel])
        assert [(end.id, end.outcome) for end in answer.ended] == [(order.id, Outcome.CANCELLED)]
        head = desk.head()
        assert head is not None
        assert head.id == cancel.id
        assert desk.admit(signal(order_id="o1")) == ["accepted"]

    def test_a_cancel_reaches_into_the_calendar(self, desk: Desk) -> None:
        order = signal(order_id="o1", delay_ms=60_000)
        desk.admit(order, signal(action="cancel", action_class="cancel", drops="order", target="o1"))
        assert desk.record(order.id)["outcome"] == "cancelled"
        assert desk.client.exists(f"{desk.prefix}calendar", f"{desk.prefix}later:acct") == 0

    def test_an_order_in_flight_is_not_dropped(self, desk: Desk) -> None:
        order = signal(order_id="o1")
        desk.admit(order)
        head = desk.head()
        assert head is not None
        desk.admit(signal(action="cancel", action_class="cancel", drops="order", target="o1"))
        status, following = desk.settle(head, more=True)
        assert status == "done"
        assert following is not None
        assert following.action == "cancel"

    def test_a_dropped_retry_does_not_keep_the_lane_waiting(self, desk: Desk) -> None:
        desk.admit(signal(order_id="o1"))
        head = desk.head()
        assert head is not None
        desk.lanes.defer([Deferral(head, 60_000)])
        cancel = signal(action="cancel", action_class="cancel", drops="order", target="o1")
        assert desk.lanes.admit([cancel]).rings == ("acct",)
        head = desk.head()
        assert head is not None
        assert head.id == cancel.id

    def test_one_that_may_have_been_taken_is_not_dropped(self, desk: Desk) -> None:
        close = signal(action="closeLong", action_class="full", order_id="o1")
        desk.admit(close)
        head = desk.head()
        assert head is not None
        desk.lanes.defer([Deferral(head, 60_000, unknown=True)])
        desk.admit(signal(action="cancel", action_class="cancel", drops="order", target="o1"))
        assert desk.record(close.id)["state"] == "waiting"

    def test_cancel_all_drops_earlier_orders_only(self, desk: Desk) -> None:
        waiting, delayed, sync = signal(), signal(delay_ms=60_000), signal(action="positionSync")
        other = signal("other")
        desk.admit(waiting, delayed, sync, other)
        desk.admit(signal(action="cancelAll", action_class="cancel", drops="all"))
        after = signal()
        desk.admit(after)
        states = {one.id: desk.record(one.id)["state"] for one in (waiting, delayed, sync, other, after)}
        assert states == {
            waiting.id: "finished",
            delayed.id: "finished",
            sync.id: "waiting",
            other.id: "waiting",
            after.id: "waiting",
        }

    def test_a_close_drops_the_delayed_open_of_its_side(self, desk: Desk) -> None:
        long, short = signal(delay_ms=60_000), signal(action="openShort", delay_ms=60_000)
        desk.admit(long, short, signal(action="closeLong", action_class="full", drops="openLong"))
        assert desk.record(long.id)["outcome"] == "cancelled"
        assert desk.record(short.id)["state"] == "delayed"

    def test_a_delayed_close_drops_when_it_takes_effect(self, desk: Desk) -> None:
        before, after = signal(delay_ms=30), signal(delay_ms=60_000)
        close = signal(action="closeLong", action_class="full", drops="openLong", delay_ms=60)
        answer = desk.lanes.admit([before, after, close])
        assert desk.record(after.id)["state"] == "delayed"
        desk.until(answer.now_ms + 61)
        desk.lanes.wake()
        assert desk.record(after.id)["outcome"] == "cancelled"
        assert desk.record(before.id)["state"] == "waiting"


class TestResolve:
    def held(self, desk: Desk, outcome: Outcome = Outcome.UNKNOWN, **fields: Any) -> Admission:
        one = signal(order_id="o1", **fields)
        desk.admit(one)
        head = desk.head()
        assert head is not None
        desk.settle(head, outcome)
        return one

    def test_resend_is_a_new_attempt_of_the_same_signal(self, desk: Desk) -> None:
        one = self.held(desk, max_age_ms=60_000)
        answer = desk.lanes.resolve([one.id], "resend", by="ann", why="not on the exchange")
        assert answer.results == ("done",)
        assert answer.rings == ("acct",)
        head = desk.head()
        assert head is not None
        assert (head.id, head.attempt, head.unknowns, head.orphan) == (one.id, 1, 0, False)
        assert head.expires_ms == answer.now_ms + 60_000, "it has its whole time again"
        assert desk.settle(head) == ("done", None)
        assert desk.record(one.id)["outcome"] == "accepted"
        assert "by ann: not on the exchange" in desk.record(one.id)["history"]
        assert desk.client.zcard(f"{desk.prefix}dead") == 0

    def test_what_fell_due_before_the_resend_goes_first(self, desk: Desk) -> None:
        one = self.held(desk)
        delayed = signal(delay_ms=1)
        desk.admit(delayed)
        desk.until(desk.redis_ms() + 3)
        desk.lanes.resolve([one.id], "resend", by="ann")
        head = desk.head()
        assert head is not None
        assert head.id == delayed.id

    def test_two_at_once_resend_once(self, desk: Desk) -> None:
        one = self.held(desk)
        assert desk.lanes.resolve([one.id], "resend", by="ann").results == ("done",)
        assert desk.lanes.resolve([one.id], "resend", by="bob").results == ("gone",)
        assert desk.client.llen(f"{desk.prefix}lane:acct") == 1

    def test_a_late_answer_of_the_old_attempt_does_not_settle_the_new_one(self, desk: Desk) -> None:
        one = signal()
        desk.admit(one)
        old = desk.head()
        assert old is not None
        desk.settle(old, Outcome.UNKNOWN)
        desk.lanes.resolve([one.id], "resend", by="ann")
        assert desk.settle(old, Outcome.REJECTED) == ("stale", None)
        assert desk.record(one.id)["state"] == "waiting"

    def test_a_finished_signal_is_never_resent(self, desk: Desk) -> None:
        one = self.held(desk, Outcome.ACCEPTED)
        for act in ("resend", "accept", "discard"):
            assert desk.lanes.resolve([one.id, "no-such"], act, by="ann").results == ("gone", "gone")

    def test_an_id_that_was_used_again_forbids_a_resend(self, desk: Desk) -> None:
        one = self.held(desk, Outcome.REJECTED)
        desk.admit(signal(order_id="o1"))
        assert desk.lanes.resolve([one.id], "resend", by="ann").results == ("taken",)
        assert desk.record(one.id)["state"] == "dead"

    def test_a_freed_id_is_claimed_again(self, desk: Desk) -> None:
        one = self.held(desk, Outcome.REJECTED)
        desk.lanes.resolve([one.id], "resend", by="ann")
        (again,) = desk.lanes.admit([signal(order_id="o1")]).results
        assert (again.status, again.first_id) == ("duplicate", one.id)

    def test_an_order_that_is_there_after_all_holds_its_id(self, desk: Desk) -> None:
        one = self.held(desk, Outcome.REJECTED)
        desk.lanes.resolve([one.id], "accept", by="ann")
        assert desk.admit(signal(order_id="o1")) == ["duplicate"]

    @pytest.mark.parametrize(
        ("act", "outcome", "freed"), [("accept", "accepted", False), ("discard", "discarded", True)]
    )
    def test_a_person_may_end_it(self, desk: Desk, act: Any, outcome: str, freed: bool) -> None:
        one = self.held(desk)
        answer = desk.lanes.resolve([one.id], act, by="ann", why="saw it")
        assert [(end.id, end.outcome) for end in answer.ended] == [(one.id, outcome)]
        assert desk.record(one.id)["state"] == "finished"
        assert desk.keys("body") == []
        assert desk.admit(signal(order_id="o1")) == ["accepted" if freed else "duplicate"]

    def test_every_act_is_recorded(self, desk: Desk) -> None:
        one = self.held(desk)
        desk.lanes.resolve([one.id], "discard", by="ann", why="test")
        ((_, fields),) = desk.client.xrange(f"{desk.prefix}acts")
        assert {name.decode(): value.decode() for name, value in fields.items()} == {
            "id": one.id,
            "connector": "acct",
            "action": "openLong",
            "act": "discard",
            "by": "ann",
            "why": "test",
            "was": "unknown",
        }

    def test_letters_are_kept_by_count(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(letters_most=2)
        letters = []
        for number in range(4):
            letters.append(signal(order_id=f"o{number}"))
            desk.admit(letters[-1])
            head = desk.head()
            assert head is not None
            desk.settle(head, Outcome.UNKNOWN)
            desk.until(desk.redis_ms() + 2)
        desk.lanes.sweep(1)
        assert [desk.record(one.id).get("state") for one in letters] == [None, None, "dead", "dead"]
        assert len(desk.keys("body")) == 2
        assert desk.client.hget(f"{desk.prefix}counts", "dead:unknown") == b"2"
        assert desk.admit(signal(order_id="o0"), signal(order_id="o3")) == ["accepted", "duplicate"]

    def test_letters_are_kept_for_a_time(self, make_desk: Callable[..., Desk]) -> None:
        desk = make_desk(letters_kept_ms=30)
        one = self.held(desk)
        desk.lanes.sweep(1)
        assert desk.record(one.id)["state"] == "dead"
        desk.until(desk.redis_ms() + 35)
        desk.lanes.sweep(1)
        assert desk.record(one.id) == {}


def test_counts_tell_where_every_signal_is(desk: Desk) -> None:
    desk.admit(signal(), signal(), signal(delay_ms=60_000), signal("b"))
    head = desk.head("b")
    assert head is not None
    desk.settle(head, Outcome.REJECTED)
    counts = {
        name.decode(): int(value) for name, value in desk.client.hgetall(f"{desk.prefix}counts").items()
    }
    assert counts == {"waiting": 2, "delayed": 1, "dead:rejected": 1}


def test_the_stream_of_outcomes_is_bounded(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(stream_length=10)
    for _ in range(600):
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        desk.settle(head)
    assert desk.client.xlen(f"{desk.prefix}outcomes") < 600


def test_scripts_are_loaded_again_when_the_server_forgot_them(desk: Desk) -> None:
    desk.admit(signal())
    desk.client.script_flush()
    assert desk.head() is not None


def test_a_server_that_is_away_is_reported_in_time_and_in_one_line(prefix: str) -> None:
    away = Lanes(connect("redis://127.0.0.1:1/0"), prefix=prefix, patience=0.2)
    started = time.monotonic()
    with pytest.raises(QueueUnavailable) as caught:
        away.admit([signal()])
    assert time.monotonic() - started < 10
    assert "\n" not in str(caught.value)


def test_outcomes_have_the_same_names_in_lua_and_python(client: redis.Redis, prefix: str) -> None:
    text = Script(client, Hearing(client), prefix, "wake")._text
    rules = re.search(r"local RULES = \{(.*?)\}", text, re.DOTALL)
    assert rules is not None
    assert set(re.findall(r"(\w+) = '", rules[1])) == set(Outcome)


def test_a_full_server_takes_nothing_in_but_lets_everything_out(tmp_path: Path, prefix: str) -> None:
    with Server(tmp_path) as server, connect(server.url) as client:
        desk = Desk(client, prefix, Timing())
        desk.admit(signal(order_id="o1"), signal(order_id="o2"), signal(delay_ms=50))
        client.config_set("maxmemory", 1)
        small = Lanes(client, prefix=prefix, patience=0.2)
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            small.admit([signal()])
        head = desk.head()
        assert head is not None
        assert desk.lanes.defer([Deferral(head, 0)]).results == ("done",)
        head = desk.head()
        assert head is not None
        status, following = desk.settle(head, more=True)
        assert status == "done"
        assert following is not None
        assert desk.settle(following)[0] == "done"
        desk.until(desk.redis_ms() + 55)
        desk.lanes.wake()
        assert desk.head() is not None
