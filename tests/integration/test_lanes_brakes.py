"""What holds lanes back: pauses, rate limits, the circuit, the limit on waiting signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import redis

from tests.integration.desk import Desk, signal
from worker.lanes import Brakes, Deferral, Head, Outcome, Settlement, Timing
from worker.lanes.pauses import scopes

FAR = 2**53 - 1
MakeDesk = Callable[..., Desk]


def pause(desk: Desk, *connectors: str, entries: bool = False, label: str = "person") -> tuple[str, ...]:
    wanted = scopes(connectors, entries_only=entries)
    return desk.lanes.pause(wanted, label=label, by="ann", why="news").in_flight


def resume(desk: Desk, *connectors: str, entries: bool = False, label: str = "person") -> None:
    wanted = scopes(connectors, entries_only=entries)
    desk.lanes.resume(wanted, label=label, by="ann")


def exit_(connector: str = "acct", action: str = "closeLong", **fields: object) -> object:
    return signal(connector, action=action, action_class="full", **fields)


def posted(desk: Desk, *lanes: str) -> list[str]:
    """Post whatever the lanes give, one by one; the ids in the order of their POSTs."""
    ids = []
    for lane in lanes or ("acct",):
        head = desk.head(lane)
        while head is not None:
            ids.append(head.id)
            _, head = desk.settle(head, more=True)
    return ids


class TestPause:
    def test_everything_waits_until_it_is_resumed(self, desk: Desk) -> None:
        first, second = signal(), signal("other")
        desk.admit(first, second)
        assert pause(desk) == ()
        assert desk.head() is None
        assert desk.head("other") is None
        assert desk.index_of() == desk.index_of("other") == {"halted"}
        resume(desk)
        assert set(desk.lanes.wake().rings) == {"acct", "other"}
        assert posted(desk, "acct", "other") == [first.id, second.id]

    def test_one_connector_waits_and_the_others_go_on(self, desk: Desk) -> None:
        first, second = signal(), signal("other")
        desk.admit(first, second)
        pause(desk, "acct")
        assert desk.head() is None
        assert posted(desk, "other") == [second.id]
        resume(desk, "acct")
        assert desk.lanes.wake().rings == ("acct",)
        assert posted(desk) == [first.id]

    def test_a_name_that_looks_like_a_scope_is_a_connector(self, desk: Desk) -> None:
        for name in ("all", "entries", "all:acct"):
            pause(desk, name)
        desk.admit(signal())
        assert desk.head() is not None

    def test_a_retry_waits_too_and_the_pause_costs_no_attempt(self, desk: Desk) -> None:
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        desk.lanes.defer([Deferral(head, 1)])
        pause(desk)
        desk.until(desk.redis_ms() + 5)
        assert desk.lanes.wake().rings == ("acct",)
        assert desk.head() is None
        resume(desk)
        again = desk.head()
        assert again is not None
        assert again.attempt == 2

    def test_what_is_in_flight_is_told_until_it_has_ended(self, desk: Desk) -> None:
        desk.admit(signal(), signal())
        head = desk.head()
        assert head is not None
        assert pause(desk) == (head.id,)
        assert pause(desk) == (head.id,)
        _, following = desk.settle(head, more=True)
        assert following is None
        assert pause(desk) == ()

    def test_who_has_lost_its_lease_is_not_waited_for(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lease_ms=20)
        desk.admit(signal())
        assert desk.head() is not None
        desk.until(desk.redis_ms() + 25)
        assert pause(desk) == ()
        orphan = desk.head()
        assert orphan is not None
        assert orphan.orphan, "judged, not posted"
        assert pause(desk) == ()

    def test_two_reasons_hold_until_both_are_gone(self, desk: Desk) -> None:
        desk.admit(signal())
        pause(desk, "acct")
        pause(desk, "acct", label="group desk")
        resume(desk, "acct")
        assert desk.head() is None
        resume(desk, "acct", label="group desk")
        assert desk.head() is not None

    def test_each_change_is_recorded_once(self, desk: Desk) -> None:
        for _ in range(2):
            pause(desk, "acct")
        for _ in range(2):
            resume(desk, "acct")
        acts = [fields for _, fields in desk.client.xrange(f"{desk.prefix}acts")]
        assert [fields[b"act"] for fields in acts] == [b"pause", b"resume"]
        assert acts[0][b"by"] == b"ann"
        assert acts[0][b"scope"] == b"all:acct"

    def test_more_lanes_than_one_call_looks_through(self, make_desk: MakeDesk) -> None:
        desk = make_desk(limit=10)
        names = [f"acct-{n}" for n in range(1000)]
        desk.lanes.admit([signal(name) for name in names])
        pause(desk)
        assert desk.lanes.checkout(names, "t").heads == ()
        assert desk.client.zcard(f"{desk.prefix}halted") == 1000
        resume(desk)
        rung: list[str] = []
        answer = desk.lanes.wake()
        while True:
            rung += answer.rings
            if not answer.more:
                break
            answer = desk.lanes.wake()
        assert sorted(rung) == sorted(names)

    def test_a_lane_that_is_halted_for_no_reason_is_found(self, desk: Desk) -> None:
        desk.admit(signal())
        pause(desk)
        assert desk.head() is None
        desk.client.delete(f"{desk.prefix}pauses")
        assert desk.lanes.sweep(1).rings == ("acct",)

    def test_a_resume_that_died_half_way_is_finished_by_the_sweep(self, desk: Desk) -> None:
        desk.admit(signal())
        pause(desk)
        assert desk.head() is None
        resume(desk)  # and nobody is told
        assert desk.lanes.sweep(1).rings == ("acct",)


class TestPauseOfEntries:
    def test_exits_overtake(self, desk: Desk) -> None:
        entry, cancel = signal(), signal(action="cancelX", action_class="cancel")
        leave, after = exit_(action="closeShort"), signal()
        desk.admit(entry, cancel, leave, after)
        pause(desk, entries=True)
        assert posted(desk) == [cancel.id, leave.id]
        assert desk.index_of() == {"halted"}
        resume(desk, entries=True)
        assert posted(desk) == [entry.id, after.id]

    def test_an_exit_that_comes_later_rings_the_lane(self, desk: Desk) -> None:
        desk.admit(signal())
        pause(desk, "acct", entries=True)
        assert desk.head() is None
        assert desk.lanes.admit([signal()]).rings == ()
        leave = exit_()
        assert desk.lanes.admit([leave]).rings == ("acct",)
        assert posted(desk) == [leave.id]

    def test_an_exit_drops_the_order_it_would_otherwise_leave_behind(self, desk: Desk) -> None:
        open_, other = signal(action="openLong"), signal(action="openShort")
        desk.admit(open_, other, exit_(action="closeLong", drops="openLong"))
        pause(desk, entries=True)
        assert len(posted(desk)) == 1
        resume(desk, entries=True)
        assert posted(desk) == [other.id]
        assert desk.record(open_.id)["outcome"] == "cancelled"

    @pytest.mark.parametrize(
        ("first", "then", "posts"),
        [
            ({"action": "buy"}, {"action": "sell", "action_class": "full"}, 0),
            ({"action": "buy"}, {"action": "sell", "action_class": "partial"}, 1),
            ({"action": "positionSync"}, {"action": "positionSync", "action_class": "full"}, 0),
            ({"action": "positionSync"}, {"action": "positionSync", "action_class": "partial"}, 0),
            ({"action": "openShort"}, {"action": "closeLong", "action_class": "full"}, 1),
        ],
    )
    def test_what_overtook_is_not_undone(
        self, desk: Desk, first: dict[str, str], then: dict[str, str], posts: int
    ) -> None:
        before, after = signal(**first), signal(**first)
        desk.admit(before, signal(**then))
        pause(desk, entries=True)
        assert len(posted(desk)) == 1
        desk.admit(after)
        resume(desk, entries=True)
        assert posted(desk) == [before.id, after.id][1 - posts :]

    def test_an_exit_does_not_wait_behind_the_retry_of_an_entry(self, desk: Desk) -> None:
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        desk.lanes.defer([Deferral(head, 60_000)])
        pause(desk, entries=True)
        leave = exit_()
        assert desk.lanes.admit([leave]).rings == ("acct",)

    def test_an_exit_that_is_tried_again_goes_first(self, desk: Desk) -> None:
        entry, leave = signal(), exit_(action="closeShort")
        desk.admit(entry, leave)
        pause(desk, entries=True)
        head = desk.head()
        assert head is not None
        desk.lanes.defer([Deferral(head, 0)])
        resume(desk, entries=True)
        assert posted(desk) == [leave.id, entry.id]

    def test_only_entries_in_flight_are_waited_for(self, desk: Desk) -> None:
        desk.admit(signal("a"), exit_("b"))
        entry, leave = desk.head("a"), desk.head("b")
        assert entry is not None
        assert leave is not None
        assert pause(desk, entries=True) == (entry.id,)

    def test_entries_expire_meanwhile_wherever_they_stand(self, make_desk: MakeDesk) -> None:
        desk = make_desk()
        lasting, stale = signal(), signal(max_age_ms=500)
        desk.admit(lasting, stale)
        pause(desk)
        assert desk.head() is None
        score = desk.client.zscore(f"{desk.prefix}halted", "acct")
        assert score is not None
        assert score < FAR
        desk.until(int(score))
        assert desk.lanes.wake().rings == ("acct",)
        (ended,) = desk.lanes.checkout(["acct"], "t").ended
        assert (ended.id, ended.outcome) == (stale.id, Outcome.EXPIRED)
        assert desk.index_of() == {"halted"}
        assert desk.client.zscore(f"{desk.prefix}halted", "acct") == FAR

    def test_an_entry_that_joins_later_expires_too(self, desk: Desk) -> None:
        desk.admit(exit_())
        pause(desk)
        assert desk.head() is None
        stale = signal(max_age_ms=5)
        desk.admit(stale)
        score = desk.client.zscore(f"{desk.prefix}halted", "acct")
        assert score is not None
        desk.until(int(score))
        assert desk.lanes.wake().rings == ("acct",)
        assert [ended.id for ended in desk.lanes.checkout(["acct"], "t").ended] == [stale.id]

    def test_a_lane_whose_signals_have_all_expired_is_idle(self, desk: Desk) -> None:
        desk.admit(signal(max_age_ms=1), signal(max_age_ms=1))
        pause(desk)
        desk.until(desk.redis_ms() + 5)
        assert len(desk.lanes.checkout(["acct"], "t").ended) == 2
        assert desk.index_of() == set()
        assert desk.client.zcard(f"{desk.prefix}lanes") == 0


class TestRates:
    def test_a_connector_gets_its_burst_then_its_rate(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(connector_rate=2, connector_burst=3))
        desk.admit(*(signal() for _ in range(5)), signal("other"))
        began = desk.redis_ms()
        assert len(posted(desk)) == 3
        assert len(posted(desk, "other")) == 1, "others have their own"
        assert desk.index_of() == {"wakeups"}
        at = desk.client.zscore(f"{desk.prefix}wakeups", "acct")
        assert at is not None
        assert began + 450 <= at <= desk.redis_ms() + 500
        desk.until(int(at))
        assert desk.lanes.wake().rings == ("acct",)
        assert len(posted(desk)) == 1

    def test_all_together_get_their_turns_one_after_the_other(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(rate=100))
        names = [f"acct-{n}" for n in range(6)]
        desk.admit(*(signal(name) for name in names))
        first = desk.lanes.checkout(names, "t").heads
        assert [head.lane for head in first] == ["acct-0"]
        turns = [int(desk.client.zscore(f"{desk.prefix}wakeups", name) or 0) for name in names[1:]]
        assert all(9 <= later - earlier <= 11 for earlier, later in pairwise(turns))
        assert desk.lanes.checkout(names[1:], "u").heads == (), "nobody before its turn"
        desk.until(turns[-1])
        assert len(desk.lanes.wake().rings) == 5
        assert [head.lane for head in desk.lanes.checkout(names[1:], "v").heads] == names[1:]

    def test_turns_are_not_given_out_far_ahead(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(rate=1))
        names = [f"acct-{n}" for n in range(50)]
        desk.admit(*(signal(name) for name in names))
        desk.lanes.checkout(names, "t")
        assert desk.client.hlen(f"{desk.prefix}reserved") == 2
        latest = desk.client.zrange(f"{desk.prefix}wakeups", -2, -2, withscores=True)[0][1]
        assert latest <= desk.redis_ms() + 4001

    def test_some_connectors_have_rates_of_their_own(self, client: redis.Redis, prefix: str) -> None:
        rates = {"slow": (1.0, 2), "free": (0.0, 1)}
        desk = Desk(client, prefix, Timing(), Brakes(connector_rate=1), rates)
        for lane in ("slow", "free", "other"):
            desk.admit(*(signal(lane) for _ in range(4)))
        assert [len(posted(desk, lane)) for lane in ("slow", "free", "other")] == [2, 4, 1]

    def test_a_turn_of_a_lane_that_went_idle_is_forgotten(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(rate=1))
        desk.admit(signal("a"), signal("b", max_age_ms=500))
        desk.lanes.checkout(["a", "b"], "t")
        at = desk.client.zscore(f"{desk.prefix}wakeups", "b")
        assert at is not None
        desk.until(int(at) + 1)
        (ended,) = desk.lanes.checkout(["b"], "u").ended
        assert ended.outcome == "expired", "at once when it is stale, not when its turn comes"
        assert desk.client.exists(f"{desk.prefix}reserved") == 0

    def test_first_attempts_go_before_retries_beyond_the_budget(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(retry_rate=1))
        desk.admit(signal("a"), signal("b"))
        heads = desk.lanes.checkout(["a", "b"], "t").heads
        desk.lanes.defer([Deferral(head, 0) for head in heads])
        (retried,) = desk.lanes.checkout(["a", "b"], "u").heads
        assert retried.lane == "a"
        desk.admit(signal("c"))
        assert desk.head("c") is not None

    def test_exits_get_their_turns_however_many_entries_come(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(rate=1))
        names = [f"acct-{n}" for n in range(20)]
        desk.admit(*(exit_(name) for name in names))
        desk.lanes.checkout(names, "t")
        assert desk.client.hlen(f"{desk.prefix}reserved") == 19

    def test_turns_that_were_not_taken_are_over(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(rate=100))
        names = [f"acct-{n}" for n in range(6)]
        desk.admit(*(signal(name) for name in names))
        desk.lanes.checkout(names, "t")
        desk.client.hset(
            f"{desk.prefix}reserved", mapping={name: desk.redis_ms() - 2000 for name in names[1:]}
        )
        desk.client.delete(f"{desk.prefix}wakeups", f"{desk.prefix}bucket")
        assert len(desk.lanes.checkout(names[1:], "u").heads) == 1

    def test_a_rate_that_was_mended_is_the_one_that_counts(self, make_desk: MakeDesk) -> None:
        slow = make_desk(Brakes(connector_rate=0.001))
        slow.admit(signal(), signal())
        head = slow.head()
        assert head is not None
        slow.settle(head)
        mended = make_desk(Brakes(connector_rate=10))
        assert mended.head() is None
        at = mended.client.zscore(f"{mended.prefix}wakeups", "acct")
        assert at is not None
        assert at <= mended.redis_ms() + 100

    def test_a_call_repeated_after_a_lost_reply_costs_one_token(self, make_desk: MakeDesk) -> None:
        desk = make_desk(Brakes(connector_rate=1, connector_burst=2))
        desk.admit(signal(), signal())
        first = desk.lanes.checkout(["acct"], "t").heads
        assert desk.lanes.checkout(["acct"], "t").heads == first
        assert desk.settle(first[0], more=True)[1] is not None


class TestCircuit:
    BRAKES = Brakes(endpoint="api", circuit_lanes=3, circuit_pause_ms=500, circuit_cap_ms=1000)

    def heads(self, desk: Desk, *lanes: str) -> list[Head]:
        desk.admit(*(signal(lane) for lane in lanes))
        return list(desk.lanes.checkout(lanes, "t" + lanes[0]).heads)

    def fail(self, desk: Desk, *heads: Head) -> None:
        desk.lanes.defer([Deferral(head, 60_000, health="ill") for head in heads])

    def fail_soon(self, desk: Desk, *heads: Head) -> None:
        desk.lanes.defer([Deferral(head, 1, health="ill") for head in heads])

    def opened(self, desk: Desk) -> int:
        self.fail(desk, *self.heads(desk, "a", "b", "c"))
        at = desk.client.zscore(f"{desk.prefix}circuits", "api")
        assert at is not None
        return int(at)

    def test_it_opens_after_so_many_connectors_in_a_row(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        self.opened(desk)
        assert self.heads(desk, "d") == []
        assert desk.index_of("d") == {"halted"}

    def test_one_connector_failing_often_does_not_open_it(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        desk.admit(signal("a"))
        for number in range(10):
            (head,) = desk.lanes.checkout(["a"], f"t{number}").heads
            desk.lanes.defer([Deferral(head, 0, health="ill")])
        assert len(self.heads(desk, "d")) == 1

    def test_a_proper_answer_in_between_starts_the_count_anew(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        a, b, c, d = self.heads(desk, "a", "b", "c", "d")
        self.fail(desk, a, b)
        desk.lanes.settle([Settlement(c, Outcome.REJECTED, health="well")])
        self.fail(desk, d)
        assert len(self.heads(desk, "e")) == 1

    def test_one_probe_goes_out_and_an_answer_closes_it(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        at = self.opened(desk)
        assert self.heads(desk, "d", "e") == []
        desk.until(at)
        (rung,) = desk.lanes.wake().rings
        assert rung in ("d", "e")
        (probe,) = desk.lanes.checkout(["d", "e"], "probe").heads
        assert desk.lanes.wake().rings == (), "one probe at a time"
        desk.lanes.settle([Settlement(probe, Outcome.ACCEPTED, health="well")])
        assert desk.client.exists(f"{desk.prefix}circuits", f"{desk.prefix}circuit:api") == 0
        (rung,) = set(desk.lanes.wake().rings) - {"a", "b", "c"}
        assert {probe.lane, rung} == {"d", "e"}
        assert desk.head(rung) is not None

    def test_a_probe_that_fails_makes_the_pause_longer(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        desk.until(self.opened(desk))
        (probe,) = self.heads(desk, "d")
        before = desk.redis_ms()
        self.fail(desk, probe)
        at = desk.client.zscore(f"{desk.prefix}circuits", "api")
        assert at is not None
        assert before + 1000 <= at <= desk.redis_ms() + 1000

    def test_the_only_one_left_probes_again_and_again(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        self.opened(desk)
        desk.admit(signal("d"))
        assert desk.head("d") is None
        for number in range(4):
            at = desk.client.zscore(f"{desk.prefix}circuits", "api")
            assert at is not None
            desk.until(int(at))
            assert "d" in desk.lanes.wake().rings
            (probe,) = desk.lanes.checkout(["d"], f"probe{number}").heads
            self.fail_soon(desk, probe)
            desk.until(desk.redis_ms() + 2)
            desk.lanes.wake()
            assert desk.lanes.checkout(["d"], f"early{number}").heads == ()

    def test_a_probe_that_never_tells_is_followed_by_another(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES, lease_ms=20)
        desk.until(self.opened(desk))
        (probe,) = self.heads(desk, "d")
        assert self.heads(desk, "e") == []
        desk.until(desk.redis_ms() + 25)
        assert "e" in desk.lanes.wake().rings
        assert len(self.heads(desk, "e")) == 1
        assert probe.lane == "d"

    def test_a_probe_that_tells_nothing_is_followed_at_once(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        desk.until(self.opened(desk))
        (probe,) = self.heads(desk, "d")
        desk.lanes.defer([Deferral(probe, 60_000, refund=True)])
        assert len(self.heads(desk, "e")) == 1

    def test_a_paused_lane_does_not_keep_the_probe(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        at = self.opened(desk)
        assert self.heads(desk, *(f"p{n}" for n in range(20)), "free") == []
        for n in range(20):
            pause(desk, f"p{n}")
        desk.until(at)
        assert "free" in desk.lanes.wake().rings

    def test_who_failed_leaves_the_probe_to_who_did_not(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        self.fail_soon(desk, *self.heads(desk, "a", "b", "c"))
        assert self.heads(desk, "well") == []
        at = desk.client.zscore(f"{desk.prefix}circuits", "api")
        assert at is not None
        desk.until(int(at))
        (probe,) = desk.lanes.checkout(["a", "b", "c", "well"], "probe").heads
        assert probe.lane == "well"

    def test_a_circuit_of_an_endpoint_that_nobody_uses_any_more_is_forgotten(
        self, make_desk: MakeDesk
    ) -> None:
        desk = make_desk(replace(self.BRAKES, circuit_pause_ms=30_000, circuit_cap_ms=60_000))
        self.opened(desk)
        assert self.heads(desk, *(f"d{n}" for n in range(50))) == []
        desk.client.zadd(f"{desk.prefix}circuits", {"api": desk.redis_ms() - 121_000})
        assert desk.lanes.wake().more
        rung = desk.lanes.wake().rings
        assert {lane for lane in rung if lane.startswith("d")} == {f"d{n}" for n in range(50)}

    def test_entries_expire_while_it_is_open(self, make_desk: MakeDesk) -> None:
        desk = make_desk(self.BRAKES)
        self.opened(desk)
        one = signal("d", max_age_ms=500)
        desk.admit(one)
        assert desk.head("d") is None
        desk.until(desk.redis_ms() + 505)
        assert "d" in desk.lanes.wake().rings
        assert [ended.id for ended in desk.lanes.checkout(["d"], "t").ended] == [one.id]

    def test_it_is_off_unless_it_is_wanted(self, desk: Desk) -> None:
        self.fail(desk, *self.heads(desk, *"abcdefgh"))
        assert desk.client.exists(f"{desk.prefix}circuits") == 0


class TestLaneLimit:
    def test_entries_are_refused_and_exits_still_find_room(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lane_limit=10)
        assert desk.admit(*(signal() for _ in range(10))) == ["accepted"] * 10
        refused = signal(order_id="o1")
        assert desk.admit(refused, exit_(), exit_()) == ["full", "accepted", "full"]
        assert desk.admit(signal("other")) == ["accepted"]
        assert desk.record(refused.id) == {}
        assert desk.keys("claim:") == []

    def test_a_full_lane_can_be_cleared(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lane_limit=10)
        desk.admit(*(signal(delay_ms=60_000) for _ in range(10)), exit_())
        clear = signal(action="cancelAll", action_class="cancel", drops="all")
        assert desk.admit(clear) == ["accepted"]
        assert desk.client.zcard(f"{desk.prefix}later:acct") == 0

    def test_delayed_signals_count(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lane_limit=2)
        assert desk.admit(signal(delay_ms=60_000), signal(), signal()) == ["accepted", "accepted", "full"]

    def test_in_order_means_no_exception_for_exits(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lane_limit=1)
        results = desk.lanes.admit([signal(), signal(), exit_()], in_order=True).results
        assert [result.status for result in results] == ["accepted", "full", "full"]

    def test_what_was_taken_is_told_again_however_full_it_is(self, make_desk: MakeDesk) -> None:
        desk = make_desk(lane_limit=1)
        one = signal()
        assert desk.admit(one) == desk.admit(one) == ["accepted"]

    @pytest.mark.parametrize("connector", ["a", "b"])
    def test_zero_means_any_number(self, desk: Desk, connector: str) -> None:
        assert set(desk.admit(*(signal(connector) for _ in range(500)))) == {"accepted"}
