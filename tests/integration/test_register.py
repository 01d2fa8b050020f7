"""The reading side of the ledger against a real server."""

from __future__ import annotations

import json

import pytest
import redis

from tests.integration.ledger_filling import HOSTILE_NAMES, TOKEN, Ledger, note
from worker.errors import QueueUnavailable, QueueUnusable
from worker.lanes import Outcome
from worker.lanes.redis import connect
from worker.lanes.register import Register


@pytest.fixture
def ledger(client: redis.Redis, prefix: str) -> Ledger:
    return Ledger(client, prefix)


@pytest.fixture
def register(client: redis.Redis, prefix: str) -> Register:
    return Register(client, prefix=prefix)


class TestCensus:
    def test_an_empty_installation_is_all_zeros(self, register: Register) -> None:
        census = register.census()
        assert (census.lanes, census.waiting, census.delayed, census.leased, census.rung) == (0, 0, 0, 0, 0)
        assert (census.dead, census.totals, census.oldest_due_ms, census.next_delayed_ms) == (
            {},
            {},
            None,
            None,
        )
        assert census.now_ms > 1_600_000_000_000

    def test_counts_what_is_where(self, ledger: Ledger, register: Register) -> None:
        ledger.end(Outcome.ACCEPTED)
        ledger.end(Outcome.UNKNOWN)
        for lane in ("a", "a", "b", "c"):
            ledger.admit(lane)
        ledger.admit("d", delay_ms=60_000)
        ledger.head("a")
        ledger.retry("b", 5000)
        ledger.client.rpush(ledger.key("rings"), "x", "y")

        census = register.census()

        assert (census.lanes, census.waiting, census.delayed) == (3, 4, 1)
        assert (census.leased, census.rung, census.ring_queue) == (1, 1, 2)
        assert census.dead == {"unknown": 1}
        assert census.totals == {"admitted": 7, "accepted": 1, "unknown": 1}
        assert census.oldest_due_ms is not None
        assert census.oldest_due_ms <= census.now_ms
        assert census.next_delayed_ms is not None
        assert 50_000 < census.next_delayed_ms - census.now_ms <= 60_000
        assert census.next_wakeup_ms is not None
        assert census.next_wakeup_ms - census.now_ms <= 5000
        assert census.oldest_rung_ms is not None

    def test_what_is_held_back_hides_nobody(self, ledger: Ledger, register: Register) -> None:
        # given: the lane that has waited the longest is held back, and another is not
        for lane in ("held", "free"):
            ledger.admit(lane)
        (_, held), (_, free) = sorted(
            ((name, due) for name, due in ledger.client.zrange(ledger.key("lanes"), 0, -1, withscores=True)),
            key=lambda one: one[0] != b"held",
        )
        assert register.census().oldest_free_due_ms == min(held, free)
        ledger.client.zadd(ledger.key("lanes"), {"held": held - 90_000})
        ledger.client.zadd(ledger.key("halted"), {"held": 0})
        # then
        census = register.census()
        assert (census.oldest_due_ms, census.oldest_free_due_ms) == (held - 90_000, free)
        # and with all of them held back there is none
        ledger.client.zadd(ledger.key("halted"), {"free": 0})
        assert register.census().oldest_free_due_ms is None

    def test_dead_letters_that_no_counter_knows_are_not_hidden(
        self, ledger: Ledger, register: Register
    ) -> None:
        ledger.end(Outcome.UNKNOWN)
        ledger.client.delete(ledger.key("counts"))
        assert register.census().dead == {"uncounted": 1}

    def test_counters_that_are_no_numbers_are_left_out(self, ledger: Ledger, register: Register) -> None:
        ledger.client.hset(
            ledger.key("counts"), mapping={"waiting": "nan", b"dead:\xff": "2", "delayed": "9" * 5000}
        )
        census = register.census()
        assert (census.waiting, census.delayed, census.dead) == (0, 0, {"\\xff": 2})


class TestLanes:
    def test_longest_due_first_with_state_and_head(self, ledger: Ledger, register: Register) -> None:
        waiting = ledger.admit("first")
        ledger.admit("first")
        ledger.admit("first", delay_ms=9000)
        ledger.admit("second")
        ledger.head("second")
        ledger.admit("third")
        ledger.retry("third", 5000)
        for place, lane in enumerate(("first", "second", "third")):
            ledger.client.zadd(ledger.key("lanes"), {lane: 1000 + place})

        first, second, third = register.lanes(10)

        assert (first.connector, first.state, first.waiting, first.delayed) == ("first", "rung", 2, 1)
        assert (first.head, first.action, first.attempts, first.due_ms) == (waiting, "openLong", 0, 1000)
        assert (second.state, second.attempts) == ("leased", 1)
        assert third.state == "retry"
        assert third.until_ms is not None
        assert third.until_ms > register.now_ms()
        assert [lane.connector for lane in register.lanes(2)] == ["first", "second"]
        assert register.lanes(0) == []

    def test_one_lane(self, ledger: Ledger, register: Register) -> None:
        waiting = ledger.admit("acct")
        ledger.admit("acct", delay_ms=9000)
        ledger.admit("later", delay_ms=9000)
        ledger.client.set(ledger.key("lane:spoilt"), "not a list")
        lane, later = register.lane("acct"), register.lane("later")
        assert lane == register.lanes(1)[0]
        assert lane.head == waiting
        assert later is not None
        assert (later.state, later.waiting, later.delayed, later.due_ms) == ("delayed", 0, 1, None)
        assert register.lane("nobody") is None
        assert register.lane("spoilt") is None

    def test_broken_lanes_are_shown_as_far_as_they_go(self, ledger: Ledger, register: Register) -> None:
        ledger.client.zadd(ledger.key("lanes"), {"empty": 1, b"\xff\xfe": 2, "string": float("inf")})
        ledger.client.set(ledger.key("lane:string"), "not a list")
        found = {lane.connector: lane for lane in register.lanes(10)}
        assert set(found) == {"empty", "\\xff\\xfe", "string"}
        assert {lane.state for lane in found.values()} == {"lost"}
        assert found["string"].due_ms is None


class TestDead:
    def test_newest_first_and_filtered(self, ledger: Ledger, register: Register) -> None:
        ids = [
            ledger.end(outcome, lane)
            for outcome, lane in (
                (Outcome.UNKNOWN, "a"),
                (Outcome.REJECTED, "a"),
                (Outcome.UNKNOWN, "b"),
            )
        ]
        for place, signal_id in enumerate(ids):
            ledger.client.zadd(ledger.key("dead"), {signal_id: 1000 * place})
        assert [letter.id for letter in register.dead(10)] == ids[::-1]
        assert [letter.id for letter in register.dead(2)] == [ids[2], ids[1]]
        assert [letter.id for letter in register.dead(10, connector="a")] == [ids[1], ids[0]]
        assert [letter.id for letter in register.dead(10, reason="unknown")] == [ids[2], ids[0]]
        assert [letter.id for letter in register.dead(10, after_ms=500, before_ms=1500)] == [ids[1]]
        assert list(register.dead(0)) == []

    def test_a_thousand_that_died_in_the_same_moment(self, ledger: Ledger, register: Register) -> None:
        ledger.client.zadd(ledger.key("dead"), {f"id-{n}": 7 if n < 900 else n for n in range(1000)})
        assert len({letter.id for letter in register.dead(5000)}) == 1000
        assert len(list(register.dead(5000))) == 1000

    def test_those_that_come_and_go_meanwhile_do_not_shift_the_others(
        self, ledger: Ledger, register: Register
    ) -> None:
        dead = ledger.key("dead")
        ledger.client.zadd(dead, {f"id-{n}": n for n in range(500)})
        seen = []
        for place, letter in enumerate(register.dead(5000)):
            seen.append(letter.id)
            if place == 0:
                ledger.client.zadd(dead, {f"new-{n}": 10_000 + n for n in range(100)})
                ledger.client.zrem(dead, *(f"id-{n}" for n in range(450, 500)))
        assert sorted(seen) == sorted(f"id-{n}" for n in range(500))

    def test_a_letter_whose_record_is_gone_is_still_listed(self, ledger: Ledger, register: Register) -> None:
        ledger.client.zadd(ledger.key("dead"), {b"\xffid": 5})
        (letter,) = register.dead(10)
        assert (letter.id, letter.state, letter.why) == ("\\xffid", "dead", "its record is gone")
        whole = register.dead_letter("\udcffid")
        assert whole is not None
        assert (whole.body, whole.body_bytes, whole.history) == (None, None, ())


class TestDeadLetter:
    def test_all_about_it_but_the_token(self, ledger: Ledger, register: Register) -> None:
        signal_id = ledger.end(
            Outcome.UNKNOWN, why="timeout", history=note(1, "unknown", "timeout"), order_id="order-7"
        )
        letter = register.dead_letter(signal_id)
        assert letter is not None
        assert letter.signal.in_doubt
        assert (letter.signal.outcome, letter.signal.why) == ("unknown", "timeout")
        assert (letter.signal.order_id, letter.signal.attempts) == ("order-7", 1)
        (attempt,) = letter.history
        assert (attempt.attempt, attempt.ms, attempt.verdict) == (1, 10_012, "unknown")
        assert letter.body is not None
        assert letter.body["connectorToken"] == "***"
        assert letter.body["clientOrderId"] == "order-7"
        assert TOKEN not in repr(letter)

    def test_an_outcome_that_denies_an_earlier_doubt_keeps_it(
        self, ledger: Ledger, register: Register
    ) -> None:
        signal_id = ledger.end(Outcome.EXPIRED)
        assert not register.dead_letter(signal_id).signal.in_doubt  # type: ignore[union-attr]
        ledger.client.hset(ledger.key(f"signal:{signal_id}"), "unknowns", 1)
        assert register.dead_letter(signal_id).signal.in_doubt  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "body",
        [
            b'{"connectorToken": "%s' % TOKEN.encode(),
            b"\xff" + TOKEN.encode(),
            b"[" * 100_000,
            TOKEN.encode(),
        ],
        ids=["cut", "not-utf-8", "deep", "bare"],
    )
    def test_a_body_that_cannot_be_read_is_only_measured(
        self, ledger: Ledger, register: Register, body: bytes
    ) -> None:
        signal_id = ledger.end(Outcome.INVALID)
        ledger.client.set(ledger.key(f"body:{signal_id}"), body)
        letter = register.dead_letter(signal_id)
        assert letter is not None
        assert (letter.body, letter.body_bytes) == (None, len(body))
        assert TOKEN not in repr(letter)

    def test_broken_history_and_fields_are_told_as_such(self, ledger: Ledger, register: Register) -> None:
        signal_id = ledger.end(Outcome.UNKNOWN)
        ledger.client.hset(
            ledger.key(f"signal:{signal_id}"),
            mapping={
                "history": b'\xff\n[]\n{"attempt": "x", "at": 1e999, "ms": null, "verdict": 7}\n',
                "attempts": "many",
                "due": "-1e400",
                "admitted": "9" * 400,
                "connector": b"\xff\x00",
            },
        )
        letter = register.dead_letter(signal_id)
        assert letter is not None
        assert [attempt.why for attempt in letter.history[:2]] == [
            "unreadable note of 1 bytes",
            "unreadable note of 2 bytes",
        ]
        assert (letter.history[2].attempt, letter.history[2].at_ms, letter.history[2].verdict) == (
            None,
            None,
            "7",
        )
        assert (letter.signal.attempts, letter.signal.due_ms, letter.signal.admitted_ms) == (None, None, None)
        assert letter.signal.connector == "\\xff\x00"

    def test_keys_of_another_type_read_as_missing(self, ledger: Ledger, register: Register) -> None:
        ledger.client.zadd(ledger.key("dead"), {"odd": 5})
        ledger.client.rpush(ledger.key("signal:odd"), "x")
        ledger.client.rpush(ledger.key("body:odd"), "x")
        letter = register.dead_letter("odd")
        assert letter is not None
        assert letter.body_bytes is None

    def test_no_such_letter(self, ledger: Ledger, register: Register) -> None:
        assert register.dead_letter("nobody") is None
        assert register.dead_letter(ledger.admit()) is None


class TestFind:
    def test_on_its_way_and_after_it_ended(self, ledger: Ledger, register: Register) -> None:
        delayed = ledger.admit(delay_ms=60_000)
        done = ledger.end(Outcome.ACCEPTED)
        first, second = register.find(delayed), register.find(done)
        assert first is not None
        assert second is not None
        assert (first.state, first.attempts, first.outcome) == ("delayed", 0, "")
        assert (second.state, second.attempts, second.outcome, second.in_doubt) == (
            "finished",
            1,
            "accepted",
            False,
        )
        assert second.ended_ms is not None
        assert register.find("nobody") is None

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_come_back_as_they_are(self, ledger: Ledger, register: Register, name: str) -> None:
        found = register.find(ledger.end(Outcome.REJECTED, name))
        assert found is not None
        assert found.connector == name


class TestTrouble:
    def test_redis_down(self) -> None:
        register = Register(connect("redis://127.0.0.1:1"), prefix="x:")
        for call in (
            register.census,
            lambda: register.lanes(1),
            lambda: register.find("x"),
            lambda: list(register.dead(1)),
        ):
            with pytest.raises(QueueUnavailable):
                call()

    def test_what_may_not_be_read_does_not_look_like_nothing(
        self, ledger: Ledger, client: redis.Redis, redis_url: str, prefix: str
    ) -> None:
        signal_id = ledger.end(Outcome.UNKNOWN)
        user = f"blind-{prefix[:-1]}"
        client.execute_command("ACL", "SETUSER", user, "on", ">pw", "~nothing*", "+@all")
        try:
            with connect(redis_url.replace("//", f"//{user}:pw@")) as blind:
                register = Register(blind, prefix=prefix)
                for call in (
                    register.census,
                    lambda: register.dead_letter(signal_id),
                    lambda: register.find(signal_id),
                ):
                    with pytest.raises(QueueUnusable):
                        call()
        finally:
            client.execute_command("ACL", "DELUSER", user)

    def test_every_view_is_json(self, ledger: Ledger, register: Register) -> None:
        signal_id = ledger.end(Outcome.INVALID)
        ledger.client.set(
            ledger.key(f"body:{signal_id}"), b'{"log": "\\ud800", "fixed": 1e999, "percent": NaN}'
        )
        letter = register.dead_letter(signal_id)
        assert letter is not None
        json.dumps(letter.body, allow_nan=False).encode()
        assert letter.body == {"log": "\\ud800", "fixed": "1e999", "percent": "NaN"}
