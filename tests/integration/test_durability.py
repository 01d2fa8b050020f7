"""SIGNALS_DURABILITY call by call, on a server whose disk can be told to stand still."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from demo.stack import Server, cli
from tests.integration.test_lanes import Desk, signal
from tests.servers import RedisServer
from worker.doctor import examine
from worker.errors import QueueUnavailable
from worker.lanes import Durability, Lanes, Outcome, Settlement, Timing
from worker.lanes.redis import connect
from worker.settings import Settings

FSYNC = Durability("fsync", timeout_ms=200)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("disk"), appendfsync="always") as server:
        yield server


@pytest.fixture
def client(disk: Server) -> Iterator[redis.Redis]:
    with connect(disk.url) as open_client:
        open_client.config_set("appendfsync", "always")
        yield open_client


@pytest.fixture
def stuck(client: redis.Redis) -> Callable[[bool], None]:
    """Whether writes reach the disk no more."""
    return lambda yes: client.config_set("appendfsync", "no" if yes else "always") and None


@pytest.fixture
def desk(client: redis.Redis, prefix: str) -> Desk:
    desk = Desk(client, prefix, Timing())
    desk.lanes = Lanes(client, prefix=prefix, timing=Timing(), durability=FSYNC, patience=1.0)
    return desk


def test_a_disk_that_works(desk: Desk) -> None:
    desk.admit(signal(), signal())
    head = desk.head()
    assert head is not None
    status, following = desk.settle(head, more=True)
    assert status == "done"
    assert following is not None


def test_nothing_is_accepted(desk: Desk, stuck: Callable[[bool], None]) -> None:
    stuck(True)
    one = signal()
    with pytest.raises(QueueUnavailable, match="not on its disk within 200 ms"):
        desk.admit(one)
    stuck(False)
    assert desk.admit(one) == ["accepted"], "asking again is safe"
    assert desk.client.llen(f"{desk.prefix}lane:acct") == 1


def test_no_head_is_handed_out(desk: Desk, stuck: Callable[[bool], None]) -> None:
    one = signal()
    desk.admit(one)
    stuck(True)
    assert desk.head() is None
    record = desk.record(one.id)
    assert (record["state"], record["attempts"]) == ("waiting", "0"), "it is handed back, unspent"
    assert not desk.client.hexists(f"{desk.prefix}leases", "acct")
    stuck(False)
    assert desk.head() is None, "not before its rest is over"
    desk.client.zadd(f"{desk.prefix}wakeups", {"acct": 1})
    head = desk.head()
    assert head is not None
    assert head.attempt == 1


def test_an_orphan_is_not_made_a_waiting_signal(desk: Desk, stuck: Callable[[bool], None]) -> None:
    # given: a head whose worker went silent while it may have been sending
    one = signal()
    desk.admit(one)
    assert desk.head() is not None
    desk.client.zadd(f"{desk.prefix}wakeups", {"acct": 1})
    # when: another gets hold of it, but the disk stands still
    stuck(True)
    assert desk.head() is None
    # then: it is still what it was; it must never be sent again as if nothing had happened
    assert desk.record(one.id)["state"] == "sending"
    stuck(False)
    desk.client.zadd(f"{desk.prefix}wakeups", {"acct": 1})
    head = desk.head()
    assert head is not None
    assert head.orphan


def test_the_next_head_is_not_handed_out_and_the_outcome_is_kept(
    desk: Desk, stuck: Callable[[bool], None]
) -> None:
    one, two = signal(), signal()
    desk.admit(one, two)
    head = desk.head()
    assert head is not None
    stuck(True)
    with pytest.raises(QueueUnavailable):
        desk.lanes.settle([Settlement(head, Outcome.ACCEPTED, more=True)])
    assert desk.record(two.id)["state"] == "waiting"
    assert desk.record(two.id)["attempts"] == "0"
    stuck(False)
    answer = desk.lanes.settle([Settlement(head, Outcome.ACCEPTED, more=True)])
    assert answer.results == (("done", None),)
    assert desk.record(one.id)["outcome"] == "accepted"


@pytest.mark.parametrize("call", ["settle", "drop", "pause"])
def test_who_asks_again_on_another_connection_is_told_no_sooner(
    desk: Desk, stuck: Callable[[bool], None], disk: Server, prefix: str, call: str
) -> None:
    one, two = signal(), signal("other")
    desk.admit(one, two)
    head = desk.head()
    assert head is not None
    calls: dict[str, Callable[[Lanes], object]] = {
        "settle": lambda lanes: lanes.settle([Settlement(head, Outcome.ACCEPTED)]).results,
        "drop": lambda lanes: lanes.drop([two.id], by="ann").results,
        "pause": lambda lanes: lanes.pause(["all"], label="person", by="ann").in_flight,
    }
    ask = calls[call]
    stuck(True)
    with pytest.raises(QueueUnavailable, match="not on its disk within 200 ms"):
        ask(desk.lanes)
    # when: all is written already, and this connection has nothing to wait for but what others wrote
    with connect(disk.url) as other:
        lanes = Lanes(other, prefix=prefix, timing=Timing(), durability=FSYNC, patience=1.0)
        with pytest.raises(QueueUnavailable):
            ask(lanes)
        stuck(False)
        ask(lanes)


def level(settings: Settings) -> dict[str, str]:
    return {one.subject: one.level for one in examine(settings)}


def run(settings: dict[str, str], package: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        cli(package, *words), capture_output=True, text=True, timeout=30, env=settings, check=False
    )


def test_check_looks_whether_the_promise_is_kept(
    disk: Server, prefix: str, stuck: Callable[[bool], None]
) -> None:
    fsync = Settings(redis_url=disk.url, prefix=prefix, durability="fsync", durability_timeout=0.2)
    assert level(fsync)["promise"] == "ok"
    stuck(True)
    assert level(fsync)["promise"] == "bad"
    replicas = Settings(redis_url=disk.url, prefix=prefix, durability="replicas", durability_timeout=0.2)
    assert level(replicas)["promise"] == "bad"


def test_a_server_that_cannot_promise(tmp_path: Path, prefix: str) -> None:
    with RedisServer(tmp_path / "old") as old, Server(tmp_path, appendonly="no") as forgetful:
        for url in (old.url, forgetful.url):
            assert level(Settings(redis_url=url, prefix=prefix, durability="fsync"))["promise"] == "bad"
            environment = {"SIGNALS_REDIS_URL": url, "SIGNALS_DURABILITY": "fsync"}
            refused = run(environment, "worker", "run")
            assert refused.returncode == 1
            assert refused.stderr.count("\n") == 1
            assert "SIGNALS_DURABILITY=fsync needs Redis 7.2 or Valkey, with appendonly yes" in refused.stderr
