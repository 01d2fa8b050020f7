"""Calls that reach the server when their caller does not listen any more, and clocks that are set."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from demo.stack import eventually
from tests.integration.desk import Desk, signal
from worker.clock import steady
from worker.lanes import Lanes
from worker.lanes.hearing import Hearing
from worker.lanes.redis import Persistence, connect
from worker.lanes.scripts import Script


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is sent to the server, word for word: the network may deliver any of it once more."""
    sent: list[tuple[Any, ...]] = []
    send = redis.Redis.execute_command

    def note(self: redis.Redis, *words: Any, **options: Any) -> Any:
        sent.append(words)
        return send(self, *words, **options)

    monkeypatch.setattr(redis.Redis, "execute_command", note)
    return sent


def test_a_copy_that_was_held_back_does_nothing(
    desk: Desk, redis_url: str, copies: list[tuple[Any, ...]]
) -> None:
    desk.admit(signal(), signal())
    with connect(redis_url, timeout=0.3) as client:
        # given: a checkout that is answered, settled and given back
        (head,) = Lanes(client, prefix=desk.prefix).checkout(["acct"], "impatient").heads
        copy = copies[-1]
        until_ms = int(copy[5])
        assert desk.settle(head) == ("done", None)
        # when: a copy of it arrives, after the caller's time for an answer
        eventually(lambda: desk.redis_ms() > until_ms, within=5, what="nobody listens any more")
        assert json.loads(client.execute_command(*copy))["late"]
    # then: the next signal is in nobody's hands, and goes out as usual
    assert desk.index_of() == {"rung"}
    following = desk.head()
    assert following is not None
    assert not following.orphan


def test_the_same_copy_in_time_is_answered(desk: Desk, redis_url: str, copies: list[tuple[Any, ...]]) -> None:
    desk.admit(signal())
    with connect(redis_url, timeout=60) as client:
        answer = Lanes(client, prefix=desk.prefix).checkout(["acct"], "patient")
        again = json.loads(client.execute_command(*copies[-1]))
    assert [item["id"] for item in again["items"]] == [head.id for head in answer.heads]


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_server_whose_clock_was_set_is_understood_again_at_once(
    desk: Desk, redis_url: str, hours: int
) -> None:
    """Set forwards, every call would come too late by the old reckoning."""
    desk.admit(signal())
    with connect(redis_url) as client:
        hearing = Hearing(client)
        script = Script(client, hearing, desk.prefix, "wake")
        hearing.note(steady(), desk.redis_ms() - hours * 3_600_000)
        answer = script(
            {"format": 1, "limit": 10, "horizon": 0, "slot": 50, "keep": 0, "stream": 10},
            Persistence(patience=5),
        )
    assert "late" not in answer


def test_who_waits_for_ever_is_never_late(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, socket_timeout=None) as client:
        assert Hearing(client).until() == ""
