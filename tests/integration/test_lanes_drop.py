"""Dropping signals that wait, and releasing idempotency keys, against a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.desk import Desk, signal
from worker.lanes import Admission, Deferral, Head, Outcome
from worker.lanes.pauses import scopes

MakeDesk = Callable[..., Desk]


def drop(desk: Desk, *signals: Admission) -> tuple[str, ...]:
    return desk.lanes.drop([one.id for one in signals], by="ann", why="flood").results


def taken(desk: Desk) -> Head:
    head = desk.head()
    assert head is not None
    return head


def head_id(desk: Desk) -> str | None:
    head = desk.head()
    return head.id if head else None


def lane_score(desk: Desk) -> float | None:
    score: float | None = desk.client.zscore(f"{desk.prefix}lanes", "acct")
    return score


class TestDrop:
    def test_it_ends_as_cancelled_and_its_ids_are_free(self, desk: Desk) -> None:
        first, one = signal(), signal(order_id="o1", idempotency_key="k1")
        desk.admit(first, one)
        answer = desk.lanes.drop([one.id], by="ann", why="flood")
        assert answer.results == ("done",)
        assert [(end.id, end.outcome, end.why) for end in answer.ended] == [
            (one.id, Outcome.CANCELLED, "dropped by ann: flood")
        ]
        record = desk.record(one.id)
        assert (record["state"], record["outcome"]) == ("finished", "cancelled")
        assert desk.keys("claim") == []
        assert desk.keys("body") == [f"body:{first.id}"]
        assert desk.admit(signal(order_id="o1")) == ["accepted"]

    def test_without_a_reason_it_says_who(self, desk: Desk) -> None:
        one = signal()
        desk.admit(one)
        desk.lanes.drop([one.id], by="ann")
        assert desk.record(one.id)["why"] == "dropped by ann"

    def test_it_is_recorded_among_the_acts_and_in_its_history(self, desk: Desk) -> None:
        due, delayed = signal(), signal(delay_ms=60_000)
        desk.admit(due, delayed)
        drop(desk, due, delayed)
        acts = [fields for _, fields in desk.client.xrange(f"{desk.prefix}acts")]
        told = [{name.decode(): value.decode() for name, value in fields.items()} for fields in acts]
        common = {"connector": "acct", "action": "openLong", "act": "drop", "by": "ann", "why": "flood"}
        assert told == [
            {"id": due.id, "was": "waiting", **common},
            {"id": delayed.id, "was": "delayed", **common},
        ]
        assert '"verdict":"drop"' in desk.record(due.id)["history"]

    def test_what_a_worker_has_in_hand_is_told_and_left_alone(self, desk: Desk) -> None:
        one = signal(order_id="o1")
        desk.admit(one)
        head = taken(desk)
        assert drop(desk, one) == ("sending",)
        assert desk.settle(head) == ("done", None)
        assert desk.record(one.id)["outcome"] == "accepted"

    def test_an_orphan_is_in_hand_until_it_is_judged(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lease_ms=5)
        one = signal()
        desk.admit(one)
        taken(desk)
        desk.until(desk.redis_ms() + 10)
        assert drop(desk, one) == ("sending",)
        assert taken(desk).orphan

    def test_what_may_have_been_taken_is_not_hidden(self, desk: Desk) -> None:
        one = signal(order_id="o1", action_class="full")
        desk.admit(one)
        desk.lanes.defer([Deferral(taken(desk), 0, unknown=True)])
        assert drop(desk, one) == ("doubtful",)
        assert taken(desk).id == one.id
        assert desk.admit(signal(order_id="o1")) == ["duplicate"]

    def test_what_is_over_is_gone(self, desk: Desk) -> None:
        accepted, dead = signal(), signal()
        for one, outcome in ((accepted, Outcome.ACCEPTED), (dead, Outcome.REJECTED)):
            desk.admit(one)
            desk.settle(taken(desk), outcome)
        assert drop(desk, accepted, dead, signal()) == ("gone", "gone", "gone")
        assert desk.record(dead.id)["state"] == "dead"
        assert desk.client.xlen(f"{desk.prefix}acts") == 0

    def test_what_a_cancel_dropped_is_not_called_dropped_by_a_person(self, desk: Desk) -> None:
        one = signal(order_id="o1")
        desk.admit(one, signal(action="cancel", action_class="cancel", drops="order", target="o1"))
        assert drop(desk, one) == ("gone",)

    def test_asking_again_after_a_lost_reply_tells_the_same(self, desk: Desk) -> None:
        one, after = signal(order_id="o1"), signal()
        desk.admit(one, after)
        first = desk.lanes.drop([one.id], by="ann", why="flood")
        desk.admit(signal(order_id="o1"))
        again = desk.lanes.drop([one.id], by="ann", why="flood")
        assert again.results == first.results == ("done",)
        assert again.rings == first.rings == ("acct",)
        assert again.ended == ()
        assert desk.admit(signal(order_id="o1")) == ["duplicate"], "the id's new holder keeps it"
        assert desk.lanes.drop([one.id], by="bob", why="me too").results == ("gone",)

    def test_the_rest_keeps_its_order(self, desk: Desk) -> None:
        signals = [signal() for _ in range(5)]
        desk.admit(*signals)
        assert drop(desk, signals[3], signals[0], signals[3]) == ("done",) * 3
        posted, head = [], desk.head()
        while head is not None:
            posted.append(head.id)
            _, head = desk.settle(head, more=True)
        assert posted == [signals[place].id for place in (1, 2, 4)]

    def test_a_lane_without_work_leaves_no_trace(self, desk: Desk) -> None:
        entry, leave = signal(), signal(action="closeLong", action_class="full")
        desk.admit(entry, leave)
        assert desk.lanes.drop([entry.id, leave.id], by="ann").rings == ()
        kinds = ("lane", "exits", "rung", "wakeups", "halted", "leases", "body", "claim", "later", "calendar")
        assert [key for kind in kinds for key in desk.keys(kind)] == []
        assert desk.client.hgetall(f"{desk.prefix}counts") == {b"waiting": b"0"}

    def test_a_lane_does_not_wait_for_the_retry_of_what_was_dropped(self, desk: Desk) -> None:
        one, after = signal(), signal()
        desk.admit(one)
        desk.until(desk.redis_ms() + 2)
        desk.admit(after)
        desk.lanes.defer([Deferral(taken(desk), 60_000)])
        assert desk.index_of() == {"wakeups"}
        answer = desk.lanes.drop([one.id], by="ann")
        assert answer.rings == ("acct",)
        assert lane_score(desk) == int(desk.record(after.id)["due"])
        assert head_id(desk) == after.id

    def test_a_lane_that_is_being_worked_on_stays_so(self, desk: Desk) -> None:
        one, middle, last = signal(), signal(), signal()
        desk.admit(one, middle, last)
        head = taken(desk)
        answer = desk.lanes.drop([middle.id], by="ann")
        assert (answer.results, answer.rings) == (("done",), ())
        assert desk.index_of() == {"wakeups"}
        status, following = desk.settle(head, more=True)
        assert status == "done"
        assert following is not None
        assert following.id == last.id

    def test_a_paused_lane_stays_paused(self, desk: Desk) -> None:
        one, after = signal(), signal()
        desk.admit(one, after)
        desk.lanes.pause(scopes([], entries_only=False), label="person", by="ann")
        assert desk.head() is None
        assert drop(desk, one) == ("done",)
        assert desk.head() is None
        assert desk.index_of() == {"halted"}
        assert drop(desk, after) == ("done",)
        assert desk.index_of() == set()

    def test_a_delayed_one_leaves_the_calendar(self, desk: Desk) -> None:
        first, second = signal(delay_ms=50_000), signal(delay_ms=55_000)
        desk.admit(first, second)
        answer = desk.lanes.drop([first.id], by="ann")
        assert len(answer.slots_ms) == 1, "the next one's countdown is armed"
        due = int(desk.record(second.id)["due"])
        assert desk.client.zscore(f"{desk.prefix}calendar", "acct") == due
        assert drop(desk, second) == ("done",)
        assert desk.keys("calendar") == desk.keys("later") == []
        assert desk.client.hget(f"{desk.prefix}counts", "delayed") == b"0"

    def test_a_delayed_one_that_is_due_but_was_not_brought_in_yet(self, desk: Desk) -> None:
        one = signal(delay_ms=1)
        desk.admit(one)
        desk.until(desk.redis_ms() + 4)
        assert drop(desk, one) == ("done",)
        desk.lanes.wake()
        assert desk.head() is None

    def test_room_is_free_again(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lane_limit=1)
        one = signal()
        assert desk.admit(one, signal()) == ["accepted", "full"]
        drop(desk, one)
        assert desk.admit(signal()) == ["accepted"]

    @pytest.mark.parametrize("by_cancel", [True, False])
    def test_an_exit_that_never_went_out_undoes_nothing(self, desk: Desk, by_cancel: bool) -> None:
        """It overtook an open in a pause, was dropped before its POST, and the open is still wanted."""
        before, between = signal(), signal()
        first, second = self.closing(), self.closing(order_id="c2")
        desk.admit(before, first, between, second)
        desk.lanes.pause(scopes([], entries_only=True), label="person", by="ann")
        desk.settle(taken(desk))
        desk.lanes.defer([Deferral(taken(desk), 60_000)])
        if by_cancel:
            desk.admit(signal(action="cancel", action_class="cancel", drops="order", target="c2"))
            desk.settle(taken(desk))
        else:
            assert drop(desk, second) == ("done",)
        desk.lanes.resume(scopes([], entries_only=True), label="person", by="ann")
        assert head_id(desk) == between.id
        assert desk.record(before.id)["why"] == f"dropped by closeLong {first.id}"

    def test_the_only_one_that_overtook_undoes_nothing_either(self, desk: Desk) -> None:
        before, leave = signal(), self.closing()
        desk.admit(before, leave)
        desk.lanes.pause(scopes([], entries_only=True), label="person", by="ann")
        desk.lanes.defer([Deferral(taken(desk), 60_000)])
        assert drop(desk, leave) == ("done",)
        desk.lanes.resume(scopes([], entries_only=True), label="person", by="ann")
        assert head_id(desk) == before.id

    def closing(self, **fields: Any) -> Admission:
        return signal(action="closeLong", action_class="full", **fields)


class TestRelease:
    def keyed(self, **fields: Any) -> Admission:
        return signal(idempotency_key="k1", **fields)

    def test_the_key_is_free_and_the_order_id_is_not(self, desk: Desk) -> None:
        one = self.keyed(order_id="o1")
        desk.admit(one)
        desk.lanes.release([one.id])
        assert desk.keys("claim") == ["claim:order:4:acct:o1"]
        assert "key" not in desk.record(one.id)
        assert desk.admit(self.keyed()) == ["accepted"]
        assert desk.admit(self.keyed(order_id="o1")) == ["duplicate"]

    def test_a_key_that_another_holds_by_now_stays_its_own(self, desk: Desk) -> None:
        one, other = self.keyed(), self.keyed()
        desk.admit(one)
        desk.lanes.release([one.id])
        desk.admit(other)
        desk.lanes.release([one.id])
        assert desk.admit(self.keyed()) == ["duplicate"]
        desk.settle(taken(desk), Outcome.REJECTED)
        assert desk.admit(self.keyed()) == ["duplicate"], "the end of the first frees nothing of the second"

    def test_a_key_whose_window_is_over_is_its_next_holders(self, desk: Desk) -> None:
        one = self.keyed(key_window_ms=1)
        desk.admit(one)
        desk.settle(taken(desk))
        desk.until(desk.redis_ms() + 3)
        desk.admit(self.keyed())
        desk.lanes.release([one.id])
        assert desk.admit(self.keyed()) == ["duplicate"]

    def test_a_resend_does_not_claim_it_again(self, desk: Desk) -> None:
        one = self.keyed(order_id="o1")
        desk.admit(one)
        desk.settle(taken(desk), Outcome.UNKNOWN)
        desk.lanes.release([one.id])
        desk.admit(self.keyed())
        assert desk.lanes.resolve([one.id], "resend", by="ann").results == ("done",)
        desk.settle(taken(desk))
        desk.settle(taken(desk))
        assert desk.admit(self.keyed()) == ["duplicate"]

    @pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.UNKNOWN])
    def test_signals_that_have_ended_let_go_too(self, desk: Desk, outcome: Outcome) -> None:
        one = self.keyed()
        desk.admit(one)
        desk.settle(taken(desk), outcome)
        assert desk.admit(self.keyed()) == ["duplicate"]
        desk.lanes.release([one.id])
        assert desk.admit(self.keyed()) == ["accepted"]

    def test_again_or_of_nobody_is_no_error(self, desk: Desk) -> None:
        one, plain = self.keyed(), signal()
        desk.admit(one, plain)
        before = desk.record(plain.id)
        for _ in range(2):
            desk.lanes.release([one.id, plain.id, "nobody"])
        assert desk.record(plain.id) == before
        assert desk.keys("signal") == sorted([f"signal:{one.id}", f"signal:{plain.id}"])

    def test_who_admits_again_after_a_lost_reply_does_not_claim_it_anew(self, desk: Desk) -> None:
        one = self.keyed()
        desk.admit(one)
        desk.lanes.release([one.id])
        assert desk.admit(one) == ["accepted"]
        assert desk.keys("claim") == []


class TestKeyWindow:
    def test_key_and_order_id_are_known_for_their_own_times(self, desk: Desk) -> None:
        one = signal(idempotency_key="k1", order_id="o1", window_ms=60_000, key_window_ms=1)
        desk.admit(one)
        assert desk.admit(signal(idempotency_key="k1")) == ["duplicate"], "while it is alive"
        desk.settle(taken(desk))
        desk.until(desk.redis_ms() + 3)
        assert desk.keys("claim") == ["claim:order:4:acct:o1"]
        assert 0 < desk.client.pttl(f"{desk.prefix}claim:order:4:acct:o1") <= 60_000
        assert desk.admit(signal(idempotency_key="k1")) == ["accepted"]

    def test_without_one_of_its_own_it_is_the_order_ids(self, desk: Desk) -> None:
        one = signal(idempotency_key="k1", window_ms=60_000)
        desk.admit(one)
        desk.settle(taken(desk))
        assert 50_000 < desk.client.pttl(f"{desk.prefix}claim:key:4:acct:k1") <= 60_000

    def test_a_longer_one_outlasts_the_order_id(self, desk: Desk) -> None:
        one = signal(idempotency_key="k1", order_id="o1", window_ms=1, key_window_ms=60_000)
        desk.admit(one)
        desk.settle(taken(desk))
        desk.until(desk.redis_ms() + 3)
        assert desk.keys("claim") == ["claim:key:4:acct:k1"]


class TestTexts:
    """What came without an id, from a sender who may not have had an answer."""

    def known_since(self, desk: Desk, one: Admission, age_ms: int) -> None:
        desk.client.zadd(f"{desk.prefix}text:4:acct:h", {one.id: desk.redis_ms() - age_ms})

    def test_two_of_a_moment_are_two(self, desk: Desk) -> None:
        assert desk.admit(signal(text="h"), signal(text="h")) == ["accepted"] * 2
        assert desk.admit(signal(text="h")) == ["accepted"]

    def test_what_comes_later_is_the_first_again(self, desk: Desk) -> None:
        first = signal(text="h")
        desk.admit(first)
        self.known_since(desk, first, 5_000)
        (again,) = desk.lanes.admit([signal(text="h")]).results
        assert (again.status, again.first_id, again.state) == ("duplicate", first.id, "waiting")
        assert desk.admit(signal("other", text="h"), signal(text="i")) == ["accepted"] * 2

    def test_each_is_taken_for_one_until_it_is_released(self, desk: Desk) -> None:
        both = [signal(text="h"), signal(text="h")]
        desk.admit(*both)
        for one in both:
            self.known_since(desk, one, 5_000)
        for one in both:
            assert desk.admit(signal(text="h")) == ["duplicate"]
            desk.lanes.release([one.id])
        assert desk.admit(signal(text="h")) == ["accepted"]

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.ACCEPTED])
    def test_it_is_forgotten_after_a_minute_however_the_signal_is(self, desk: Desk, outcome: Outcome) -> None:
        first = signal(text="h")
        desk.admit(first)
        assert 0 < desk.client.pttl(f"{desk.prefix}text:4:acct:h") <= 60_000
        head = desk.head()
        assert head is not None
        desk.settle(head, outcome)
        self.known_since(desk, first, 5_000)
        assert desk.admit(signal(text="h")) == ["duplicate"]
        self.known_since(desk, first, 60_001)
        assert desk.admit(signal(text="h")) == ["accepted"]
