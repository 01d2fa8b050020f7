"""The probes: a wedged worker is not live, one without Redis is not ready, and not the other way round."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from demo.stack import NotInTime, Server, eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.acceptance.test_frozen_server import standing_still
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import Mischief, PaperServer
from worker.settings import Settings

SETTINGS = {"deadline": 0.5, "lease": 5.5, "patience": 0.3, "sweep_interval": 0.2, "takers": 2, "threads": 8}
BOUND = 2 * 5.5
"""What /livez allows for, with these settings."""


def order(number: int, action: str = "openLong") -> dict[str, object]:
    who = {"connectorName": f"acct-{number}", "connectorToken": "token-for-tests"}
    return {**who, "action": action, "fixed": "1"}


@pytest.mark.parametrize("point", ["received", "rung"])
def test_a_worker_that_takes_nothing_is_not_live(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger, point: str
) -> None:
    # given: one whose consumer, or whose takers, hang at the first ring; everything else of it goes on
    wedged = workers.start(paper.webhook_url, crash_point=f"{point}:0:HANG", **SETTINGS)
    (address,) = workers.addresses
    assert fetch(f"{address}/livez") == (200, "ok\n")
    # when
    producer.send([order(number) for number in range(20)])
    _, text = eventually(
        lambda: (found := fetch(f"{address}/livez"))[0] == 503 and found, within=BOUND * 4, what="it is told"
    )
    # then
    assert "rings wait, and none was taken in" in str(text)
    assert fetch(f"{address}/readyz")[0] == 200, "Redis is there"
    # and a restart mends it
    wedged.kill()
    workers.start(paper.webhook_url, **SETTINGS)
    ledger.idle()
    assert ledger.total("accepted") == 20


def test_what_is_no_fault_of_the_worker_does_not_end_it(
    workers: Workers, tmp_path: Path, prefix: str
) -> None:
    settings = Settings(redis_url="redis://unused", prefix=prefix)
    with (
        Server(tmp_path / "server") as server,
        PaperServer(mischief=Mischief.from_text("latency:min=0.3,max=0.3")) as paper,
        connect(server.url) as client,
        SignalProducer(settings=settings.model_copy(update={"redis_url": server.url})) as producer,
    ):
        ledger = Ledger(client, prefix)
        workers.start(paper.webhook_url, redis_url=server.url, connector_rate=0.01, **SETTINGS)
        (address,) = workers.addresses
        # given: POSTs in flight, more that wait for a rate limit, and entries that are paused
        producer.send([order(number % 20) for number in range(60)])
        eventually(lambda: ledger.count("waiting") <= 40, within=10, what="the first of each are posted")
        client.hset(f"{prefix}pauses", "entries", "ann")
        producer.send([order(100 + number) for number in range(20)])
        eventually(
            lambda: client.zcard(f"{prefix}halted") >= 20 and not client.exists(f"{prefix}rings"),
            within=10,
            what="all that is paused has been looked at",
        )
        seen = watch(address, BOUND * 1.5)
        assert {status for status, _ in seen} == {200}, "paused and rate-limited"
        client.hdel(f"{prefix}pauses", "entries")
        producer.send([order(200 + number, "closeLong") for number in range(20)])
        # when: Redis stands still with POSTs in flight
        with standing_still(client):
            seen = watch(address, BOUND * 1.5)
            ready, text = fetch(f"{address}/readyz")
        # then
        assert {status for status, _ in seen} == {200}, "frozen"
        assert (ready, "Redis" in text) == (503, True)
        eventually(lambda: fetch(f"{address}/readyz") == (200, "ok\n"), within=10, what="ready again")
        # when: its memory is full
        client.config_set("maxmemory", 1)
        assert fetch(f"{address}/readyz") == (
            200,
            "Redis is full (maxmemory): producers are refused until there is room\n",
        )
        client.config_set("maxmemory", 0)
        assert fetch(f"{address}/livez") == (200, "ok\n")


def test_an_outage_of_redis_restarts_no_worker_and_costs_no_answer(
    workers: Workers, tmp_path: Path, prefix: str
) -> None:
    with (
        Server(tmp_path / "server") as server,
        PaperServer(mischief=Mischief.from_text("latency:min=0.3,max=0.3")) as paper,
    ):
        # given: POSTs in flight, and more behind
        settings = Settings(redis_url=server.url, prefix=prefix)
        process = workers.start(paper.webhook_url, redis_url=server.url, **SETTINGS)
        (address,) = workers.addresses
        with SignalProducer(settings=settings) as producer:
            producer.send([order(number % 8) for number in range(40)])
        paper.wait_for_receipts(8, timeout=10)
        # when: the server is gone for twice what /livez allows for
        server.stop()
        seen = watch(address, BOUND * 2)
        # then
        assert {status for status, _ in seen} == {200}
        assert fetch(f"{address}/readyz")[0] == 503
        assert process.exit_code is None
        # and: the answers that it held are written down, and the rest is posted once
        server.start()
        with connect(server.url) as client:
            ledger = Ledger(client, prefix)
            ledger.idle()
            assert (ledger.total("accepted"), len(paper.receipts)) == (40, 40)
        eventually(lambda: fetch(f"{address}/readyz") == (200, "ok\n"), within=10, what="ready again")


def watch(address: str, seconds: float) -> set[tuple[int, str]]:
    """All that /livez says in this time."""
    seen: set[tuple[int, str]] = set()

    def fails() -> bool:
        seen.add(fetch(f"{address}/livez"))
        return any(status != 200 for status, _ in seen)

    with suppress(NotInTime):
        eventually(fails, within=seconds, what="it fails", pause=0.5)
    return seen
