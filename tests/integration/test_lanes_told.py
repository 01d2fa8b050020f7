"""What the queue notes for those who watch it, and what it costs to ask."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from tests.integration.desk import Desk, signal
from worker.errors import QueueUnavailable
from worker.lanes import Brakes, CircuitChange, Deferral, Held, Lanes, Outcome
from worker.lanes.redis import connect
from worker.lanes.register import Register

MakeDesk = Callable[..., Desk]


@pytest.fixture
def register(client: redis.Redis, prefix: str) -> Register:
    return Register(client, prefix=prefix)


def end(desk: Desk, outcome: Outcome, lane: str = "acct", **fields: object) -> str:
    desk.admit(signal(lane, **fields))
    head = desk.head(lane)
    assert head is not None
    assert desk.settle(head, outcome)[0] == "done"
    return head.id


class TestDeadLetters:
    def test_those_of_unknown_fate_are_known_by_age_until_decided(
        self, desk: Desk, register: Register
    ) -> None:
        assert register.census().oldest_unknown_ms is None
        before = desk.redis_ms()
        first, second = end(desk, Outcome.UNKNOWN), end(desk, Outcome.UNKNOWN)
        end(desk, Outcome.REJECTED)
        oldest = register.census().oldest_unknown_ms
        assert oldest is not None
        assert before <= oldest <= desk.redis_ms()
        desk.lanes.resolve([first], "accept", by="ann")
        assert desk.client.zrange(f"{desk.prefix}unknown", 0, -1) == [second.encode()]
        desk.lanes.resolve([second], "resend", by="ann")
        assert register.census().oldest_unknown_ms is None

    def test_a_late_answer_ends_the_doubt(self, desk: Desk, register: Register) -> None:
        desk.admit(signal())
        head = desk.head()
        assert head is not None
        desk.settle(head, Outcome.UNKNOWN)
        assert desk.settle(head, Outcome.ACCEPTED)[0] == "late"
        assert register.census().oldest_unknown_ms is None

    def test_those_that_are_buried_leave_the_index(self, make_desk: MakeDesk, register: Register) -> None:
        desk = make_desk(letters_most=1)
        gone, _ = end(desk, Outcome.UNKNOWN), end(desk, Outcome.UNKNOWN)
        desk.lanes.sweep(1)
        assert desk.record(gone) == {}
        assert desk.client.zcard(f"{desk.prefix}unknown") == 1
        assert register.census().dead == {"unknown": 1}

    def test_a_record_that_somebody_deleted_leaves_it_too(self, make_desk: MakeDesk) -> None:
        desk = make_desk(letters_kept_ms=0)
        lost = end(desk, Outcome.UNKNOWN)
        desk.client.delete(f"{desk.prefix}signal:{lost}")
        desk.until(desk.redis_ms() + 2)
        desk.lanes.sweep(1)
        assert desk.client.exists(f"{desk.prefix}unknown", f"{desk.prefix}dead") == 0

    def test_exits_are_counted_apart(self, desk: Desk, register: Register) -> None:
        end(desk, Outcome.REJECTED)
        close = end(desk, Outcome.REJECTED, action="closeLong", action_class="full")
        end(desk, Outcome.UNSENT, action="cancel", action_class="cancel")
        end(desk, Outcome.ACCEPTED, action="closeLong", action_class="full")
        census = register.census()
        assert census.dead == {"rejected": 2, "unsent": 1}
        assert census.dead_exits == {"rejected": 1, "unsent": 1}
        desk.lanes.resolve([close], "discard", by="ann")
        assert register.census().dead_exits == {"unsent": 1}

    def test_one_that_an_earlier_release_did_not_count_is_not_taken_off(
        self, desk: Desk, register: Register
    ) -> None:
        old = end(desk, Outcome.REJECTED, action="closeLong", action_class="full")
        desk.client.hdel(f"{desk.prefix}signal:{old}", "exit")
        desk.client.hdel(f"{desk.prefix}counts", "exits:rejected")
        desk.lanes.resolve([old], "discard", by="ann")
        end(desk, Outcome.REJECTED, action="closeLong", action_class="full")
        assert register.census().dead_exits == {"rejected": 1}


class TestRings:
    def test_a_head_tells_when_its_lane_was_rung(self, desk: Desk) -> None:
        desk.admit(signal(), signal())
        rung = desk.client.zscore(f"{desk.prefix}rung", "acct")
        head = desk.head()
        assert head is not None
        assert head.rung_ms == rung
        _, following = desk.settle(head, more=True)
        assert following is not None
        assert following.rung_ms is None, "nobody had to ring for it"


class TestBrakes:
    def test_lanes_that_wait_for_a_rate_limit_are_counted(
        self, make_desk: MakeDesk, register: Register
    ) -> None:
        desk = make_desk(Brakes(connector_rate=0.01, connector_burst=1))
        end(desk, Outcome.ACCEPTED)
        assert "throttled" not in register.census().totals
        desk.admit(signal())
        assert desk.head() is None
        census = register.census()
        assert census.totals["throttled"] == 1
        assert census.parked == 1

    def test_a_circuit_is_told_when_it_opens_and_when_it_closes(
        self, make_desk: MakeDesk, register: Register
    ) -> None:
        desk = make_desk(Brakes(endpoint="host:1", circuit_lanes=2, circuit_pause_ms=1, circuit_cap_ms=1))
        told: list[tuple[CircuitChange, ...]] = []
        for lane in ("a", "b"):
            desk.admit(signal(lane))
            head = desk.head(lane)
            assert head is not None
            told.append(desk.lanes.defer([Deferral(head, 0, health="ill")]).circuits)
        assert told == [(), (CircuitChange("host:1", is_open=True),)]
        assert register.census().circuits_open == 1
        # a probe that fails is no news
        desk.admit(signal("c"))
        desk.until(desk.redis_ms() + 5)
        probe = desk.head("c")
        assert probe is not None
        assert desk.lanes.defer([Deferral(probe, 0, health="ill")]).circuits == ()
        desk.admit(signal("d"))
        desk.until(desk.redis_ms() + 5)
        probe = desk.head("d")
        assert probe is not None
        answer = desk.lanes.defer([Deferral(probe, 0, health="well")])
        assert answer.circuits == (CircuitChange("host:1", is_open=False),)
        assert register.census().circuits_open == 0

    def test_every_sweep_tells_what_is_paused(self, desk: Desk) -> None:
        assert desk.lanes.sweep(60_000).held == Held()
        desk.lanes.pause(["entries", "all:acct"], label="x", by="ann")
        assert desk.lanes.sweep(60_000).held == Held(entries=True, scopes=2), "though another one has swept"
        desk.lanes.resume(["entries", "all:acct"], label="x", by="ann")
        assert desk.lanes.sweep(60_000).held == Held()
        assert desk.lanes.wake().held is None


class TestWorkers:
    def test_who_sweeps_counts_as_alive_for_a_while(
        self, client: redis.Redis, prefix: str, register: Register
    ) -> None:
        for name in ("one", "two", "two"):
            Lanes(client, prefix=prefix, worker=name).sweep(60_000)
        Lanes(client, prefix=prefix).sweep(60_000)
        assert register.census().workers == 2
        # when: one falls silent, it is forgotten at the next sweep of the other
        client.zadd(f"{prefix}workers", {"one": 1})
        Lanes(client, prefix=prefix, worker="two").sweep(60_000)
        assert register.census().workers == 1
        # and if all do, nobody is left to forget them
        client.zadd(f"{prefix}workers", {"one": 1, "two": 2})
        assert register.census().workers == 0


class TestCalls:
    def test_each_is_told_with_its_time(self, client: redis.Redis, prefix: str) -> None:
        told: list[tuple[str, bool]] = []
        lanes = Lanes(
            client, prefix=prefix, patience=0, observe=lambda call, seconds, ok: told.append((call, ok))
        )
        lanes.wake()
        lanes.admit([signal()])
        assert told == [("wake", True), ("admit", True)]
        away = connect("redis://127.0.0.1:1/0", timeout=0.1)
        gone = Lanes(
            away, prefix=prefix, patience=0, observe=lambda call, seconds, ok: told.append((call, ok))
        )
        with pytest.raises(QueueUnavailable):
            gone.wake()
        assert told[2:] == [], "a server that has not told its time was not asked to do anything"
        client.script_flush()
        lanes.wake()
        assert told[2:] == [("wake", True)], "a script that had to be sent again is one call"

    def test_what_fails_is_told_as_such(self, client: redis.Redis, prefix: str) -> None:
        told: list[tuple[str, bool]] = []
        lanes = Lanes(
            client, prefix=prefix, patience=0, observe=lambda call, seconds, ok: told.append((call, ok))
        )
        lanes.wake()
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(QueueUnavailable):
                lanes.admit([signal()])
        finally:
            client.config_set("maxmemory", 0)
        assert told == [("wake", True), ("admit", False)]


CHEAP = {
    "time", "zcard", "hlen", "llen", "info",
    "hgetall",  # counts, totals and pauses: a few dozen fields, whatever the number of signals
    "zrange",  # of ten members at most
}  # fmt: skip


def test_a_census_costs_the_same_whatever_the_number_of_lanes(
    client: redis.Redis, prefix: str, register: Register
) -> None:
    def asked() -> dict[str, int]:
        client.config_resetstat()
        register.census()
        calls = client.info("commandstats")
        return {name.removeprefix("cmdstat_"): one["calls"] for name, one in calls.items()}

    def fill(count: int) -> None:
        lanes = {f"acct-{number}": number for number in range(count)}
        for name in ("lanes", "rung", "wakeups", "halted", "calendar", "dead", "unknown"):
            client.zadd(f"{prefix}{name}", lanes)
        client.hset(f"{prefix}leases", mapping=dict.fromkeys(lanes, "token"))
        client.rpush(f"{prefix}rings", *lanes)

    none = asked()
    fill(100)  # while some are held back, it looks for the first of them that are not
    few = asked()
    fill(100_000)
    many = asked()
    assert register.census().lanes == 100_000
    for found in (none, few, many):
        found.pop("config|resetstat", None)
    assert many == few
    assert few == {**none, "zrange": none["zrange"] + 1, "zscore": 100}
    assert none.keys() <= CHEAP
    client.delete(*client.keys(f"{prefix}*"))
