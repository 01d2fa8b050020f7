"""Signals of one batch are written together: nobody may be able to tell, but by the time it takes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.stack import Server
from tests.integration.desk import Desk, signal
from worker.errors import QueueUnusable
from worker.lanes import Admission, Admitted, Timing
from worker.lanes.pauses import scopes
from worker.lanes.redis import connect

TIMES = {b"admitted", b"due", b"expires", b"held", b"ended"}
_runs = itertools.count()

ACTIONS = {
    "entry": ("openLong", None),
    "partial": ("sell", None),
    "full": ("closeLong", "openLong"),
    "cancel": ("cancel", "order"),
    "cancelAll": ("cancelAll", "all"),
}


@st.composite
def batches(draw: st.DrawFn) -> list[Admission]:
    """Few accounts, ids and keys, so that all of it meets."""
    return [_one(draw, number) for number in range(draw(st.integers(1, 12)))]


def _one(draw: st.DrawFn, number: int) -> Admission:
    kind = draw(st.sampled_from(("entry", "entry", "entry", "partial", "full", "cancel", "cancelAll")))
    action, drops = ACTIONS[kind]
    order_id = draw(st.none() | st.sampled_from("123"))
    return signal(
        draw(st.sampled_from(("a", "b:c", "b"))),
        id=f"s{draw(st.sampled_from((number, number, number, 0)))}",
        action=action,
        action_class="cancel" if kind.startswith("cancel") else kind,
        drops=drops,
        target=(order_id or "1") if kind == "cancel" else None,
        order_id=None if kind.startswith("cancel") else order_id,
        idempotency_key=draw(st.sampled_from((None, None, None, "k", "c:1"))),
        fingerprint=draw(st.sampled_from("ffg")),
        delay_ms=draw(st.sampled_from((0, 0, 0, 0, 60_000))),
        hold_ms=draw(st.sampled_from((None, None, None, 0))),
        max_age_ms=draw(st.sampled_from((None, 60_000))) if kind == "entry" else None,
        body=f'{{"n":"é{number}"}}',
    )


def told(
    desk: Desk, before: Sequence[str], paused: str, calls: Sequence[Sequence[Admission]], most: bool
) -> Any:
    """What the senders hear, and what is in Redis afterwards but for the times."""
    for lane in before:
        desk.admit(signal(lane, id=f"before {lane}", body="{}"))
    if paused:
        desk.lanes.pause(scopes([], entries_only=paused == "entries"), label="person", by="test")
        desk.lanes.checkout(before, "token")  # who is held back is halted
    answers = [desk.lanes.admit(call, in_order=most) for call in calls]
    results = [result for answer in answers for result in answer.results]
    rung = {lane for answer in answers for lane in answer.rings}
    return results, rung, contents(desk.client, desk.prefix)


def contents(client: redis.Redis, prefix: str) -> dict[bytes, Any]:
    found: dict[bytes, Any] = {}
    for key in client.scan_iter(f"{prefix}*"):
        name = key.removeprefix(prefix.encode())
        match client.type(key):
            case b"hash":
                found[name] = {field: it for field, it in client.hgetall(key).items() if field not in TIMES}
            case b"list":
                found[name] = client.lrange(key, 0, -1)
            case b"zset":
                found[name] = (
                    client.zrange(key, 0, -1)
                    if name.startswith(b"later:")
                    else set(client.zrange(key, 0, -1))
                )
            case b"string":
                found[name] = client.get(key)
            case kind:
                found[name] = kind  # streams tell of times
    found.pop(b"armed", None)  # slots are times
    found[b"counts"] = {name: it for name, it in found.get(b"counts", {}).items() if it != b"0"}
    return found


def test_a_batch_does_what_its_signals_do_one_by_one() -> None:
    with TemporaryDirectory() as folder, Server(Path(folder)) as server, connect(server.url) as client:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            batch=batches(),
            before=st.lists(st.sampled_from(("a", "b")), unique=True),
            paused=st.sampled_from(("", "", "all", "entries")),
            limit=st.sampled_from((0, 3, 1000)),
            in_order=st.booleans(),
        )
        def compare(
            batch: list[Admission], before: list[str], paused: str, limit: int, in_order: bool
        ) -> None:
            timing = Timing(lane_limit=limit)
            whole, single = (
                told(Desk(client, f"{os.getpid()}-{next(_runs)}:", timing), before, paused, calls, in_order)
                for calls in ([batch], [[one] for one in batch])
            )
            client.flushall()
            assert whole == single

        compare()


class TestSpoiltLane:
    """Somebody else has written to a key of ours: their lane is lost, but nobody else's."""

    @pytest.mark.parametrize("key", ["lane:spoilt", "exits:spoilt"])
    def test_it_takes_nothing_and_stops_nobody(self, desk: Desk, prefix: str, key: str) -> None:
        desk.client.set(f"{prefix}{key}", "by somebody else")
        first, last = signal("a", order_id="1"), signal("b", order_id="2")
        lost = signal("spoilt", order_id="3", action="closeLong", action_class="full")

        with pytest.raises(QueueUnusable, match="WRONGTYPE"):
            desk.admit(first, lost, last)

        # then: what can be taken is in its lane, and nothing of the other one was written
        assert [desk.record(one.id).get("state") for one in (first, lost, last)] == [
            "waiting",
            None,
            "waiting",
        ]
        assert [desk.client.lrange(f"{prefix}lane:{lane}", 0, -1) for lane in "ab"] == [
            [first.id.encode()],
            [last.id.encode()],
        ]
        assert desk.keys("claim:order:6:spoilt") == desk.keys(f"body:{lost.id}") == []
        assert desk.client.hgetall(f"{prefix}counts") == {b"waiting": b"2"}
        # and: who asks again is told the same, until it is mended
        desk.client.delete(f"{prefix}{key}")
        assert desk.admit(first, lost, last) == ["accepted"] * 3


def test_a_lane_that_becomes_full_takes_the_first_and_what_lowers_risk(desk: Desk) -> None:
    full = Desk(desk.client, desk.prefix, Timing(lane_limit=2))
    cancel = signal("a", action="cancelAll", action_class="cancel", drops="order", target="x")
    entries = [signal("a", order_id=str(number)) for number in range(4)]
    exits = [signal("a", action="sell", action_class="partial") for _ in range(2)]
    assert full.admit(*entries, signal("b"), *exits, cancel) == [
        *["accepted"] * 2,
        *["full"] * 2,
        "accepted",
        *["accepted", "full"],
        "accepted",
    ]
    waiting = [entries[0], entries[1], exits[0], cancel]
    assert desk.client.lrange(f"{desk.prefix}lane:a", 0, -1) == [one.id.encode() for one in waiting]
    assert desk.client.lrange(f"{desk.prefix}exits:a", 0, -1) == [one.id.encode() for one in waiting[2:]]
    assert full.keys("claim") == ["claim:order:1:a:0", "claim:order:1:a:1"]


def test_more_than_one_command_can_name(desk: Desk) -> None:
    batch = [signal("a", order_id=f"o{number}", idempotency_key=f"k{number}") for number in range(2500)]
    assert set(desk.lanes.admit(batch).results) == {Admitted("accepted")}
    assert desk.client.lrange(f"{desk.prefix}lane:a", 0, -1) == [one.id.encode() for one in batch]
