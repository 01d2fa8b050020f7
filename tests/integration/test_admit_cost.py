"""What a signal costs the server, in commands: seconds would tell of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from demo.stack import Server
from tests.integration.desk import Desk, signal
from worker.lanes import Timing
from worker.lanes.redis import connect

COUNT = 500


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[redis.Redis]:
    """A server that nobody else uses, for its counters count for everyone."""
    with Server(tmp_path) as server, connect(server.url) as client:
        yield client


def commands(client: redis.Redis) -> dict[str, int]:
    client_stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in client_stats.items()}


@pytest.mark.parametrize(("connectors", "most"), [(COUNT, 2.1), (1, 1.1)])
def test_commands_per_signal(lonely: redis.Redis, connectors: int, most: float) -> None:
    desk = Desk(lonely, "signals:", Timing(lane_limit=10_000))
    desk.admit(signal("first"))  # loads the script
    batch = [signal(f"c{n % connectors}", order_id=f"o{n}", idempotency_key=f"k{n}") for n in range(COUNT)]
    lonely.config_resetstat()

    assert set(desk.admit(*batch)) == {"accepted"}

    counted = commands(lonely)
    assert counted.pop("evalsha") == 1
    counted.pop("config|resetstat")
    assert sum(counted.values()) / COUNT <= most, counted
    assert (counted["hset"], counted["rpush"]) == (COUNT, connectors)
    assert (counted["mget"], counted["exists"], counted["zmscore"], counted["hincrby"]) == (1, 1, 1, 2)
    assert counted["mset"] == COUNT * 3 * 2 // 1000  # a body and two claims each, 1,000 words a command


def test_ids_that_come_twice_in_one_batch_are_seen(lonely: redis.Redis) -> None:
    desk = Desk(lonely, "signals:", Timing())
    first = signal(order_id="o1")
    assert desk.admit(first, first, signal(order_id="o1"), signal(order_id="o1", fingerprint="g")) == [
        "accepted",
        "accepted",
        "duplicate",
        "conflict",
    ]
    assert lonely.llen("signals:lane:acct") == 1


def test_an_id_that_is_freed_within_a_batch_may_be_used_again(lonely: redis.Redis) -> None:
    desk = Desk(lonely, "signals:", Timing())
    cancel = signal(action="cancelAll", action_class="cancel", drops="all")
    again = signal(order_id="o1", fingerprint="g")
    assert desk.admit(signal(order_id="o1", delay_ms=60_000), cancel, again) == ["accepted"] * 3
    assert desk.record(again.id)["state"] == "waiting"
