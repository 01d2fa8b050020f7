"""The stream of outcomes against a real server, through its restarts."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path

import redis

from demo.stack import Server, eventually
from tests.integration.ledger_filling import Ledger
from worker.lanes import Outcome
from worker.lanes.feed import START, Feed
from worker.lanes.redis import connect
from worker.lanes.views import OutcomeView


def never(text: str) -> None:
    raise AssertionError(text)


def test_past_is_newest_first_and_bounded(client: redis.Redis, prefix: str) -> None:
    ledger, feed = Ledger(client, prefix), Feed(client, prefix=prefix)
    assert feed.newest() == START
    assert list(feed.past(START)) == []
    for n in range(1100):
        client.xadd(ledger.key("outcomes"), {"id": str(n)}, id=f"{n + 1}-0")
    assert [int(one.id) for one in feed.past(feed.newest())] == list(range(1099, -1, -1))
    assert [one.id for one in feed.past("1000-0", since_ms=998)] == ["999", "998", "997"]


def test_following_misses_nothing_and_repeats_nothing(client: redis.Redis, prefix: str) -> None:
    ledger, feed = Ledger(client, prefix), Feed(client, prefix=prefix)
    first = ledger.end(Outcome.ACCEPTED)
    after = feed.newest()
    second = ledger.end(Outcome.REJECTED, why="401")
    stream = feed.follow(after, trouble=never)
    one = next(stream)
    assert (one.id, one.outcome, one.why, one.attempts) == (second, "rejected", "401", 1)
    third = ledger.end(Outcome.ACCEPTED)
    assert next(stream).id == third
    assert [one.id for one in islice(feed.follow(START, trouble=never), 3)] == [first, second, third]


def test_a_broken_entry_is_shown_as_far_as_it_goes(client: redis.Redis, prefix: str) -> None:
    client.xadd(f"{prefix}outcomes", {b"\xff": b"\xff", "attempts": "x", "connector": b"\xff"})
    (one,) = Feed(client, prefix=prefix).past("+")
    assert (one.id, one.connector, one.attempts, one.due_ms) == ("", "\\xff", None, None)


def test_following_survives_a_restart_of_redis(tmp_path: Path) -> None:
    seen: list[OutcomeView] = []
    told: list[str] = []
    with Server(tmp_path) as server:
        ledger = Ledger(connect(server.url), "x:")
        feed = Feed(connect(server.url), prefix="x:", block_ms=100)

        def watch() -> None:
            seen.extend(islice(feed.follow(START, trouble=told.append), 2))

        watcher = threading.Thread(target=watch, daemon=True)
        first = ledger.end(Outcome.ACCEPTED)
        watcher.start()
        server.stop()
        eventually(lambda: told, within=10, what="the outage is told")
        server.start()
        second = Ledger(connect(server.url), "x:").end(Outcome.ACCEPTED)
        watcher.join(20)

    assert not watcher.is_alive()
    assert [one.id for one in seen] == [first, second]
    assert len(told) == 2, "an outage is told once, and its end"
    assert told[1] == "Redis answers again"
