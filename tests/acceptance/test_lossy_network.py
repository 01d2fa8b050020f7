"""Answers of Redis get lost, and the server dies and comes back: nothing is lost, doubled or out of order."""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos.wire import Wire
from demo.stack import Server, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import PaperServer
from worker.settings import Settings

SIGNALS, CONNECTORS = 1500, 50


def order(number: int) -> dict[str, object]:
    return {
        "connectorName": f"acct-{number % CONNECTORS}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number:05}",
    }


def check(paper: PaperServer) -> None:
    arrived = Counter((one.connector, one.client_order_id) for one in paper.receipts)
    assert len(arrived) == SIGNALS
    assert max(arrived.values()) == 1
    by_lane: dict[str | None, list[str | None]] = defaultdict(list)
    for one in paper.receipts:
        by_lane[one.connector].append(one.client_order_id)
    assert all(ids == sorted(ids, key=str) for ids in by_lane.values())


def test_lost_answers(workers: Workers, server: Server, ledger: Ledger, prefix: str) -> None:
    with PaperServer(latency=(0, 0.01)) as paper, Wire(server.port) as wire:
        url = f"redis://127.0.0.1:{wire.port}/0"
        settings = {"redis_url": url, "entry_expiry": 600, "quantum_signals": 2}
        for _ in range(2):
            workers.start(paper.webhook_url, **settings)
        wire.loses = 0.03
        with SignalProducer(settings=Settings(redis_url=url, prefix=prefix, redis_patience=30)) as producer:

            def send(connector: int) -> set[str]:
                numbers = range(connector, SIGNALS, CONNECTORS)
                return {str(producer.send(order(number)).status) for number in numbers}

            with ThreadPoolExecutor(4) as pool:
                statuses = set().union(*pool.map(send, range(CONNECTORS)))
        assert statuses == {"accepted"}
        assert wire.lost > 20
        wire.loses = 0.0
        ledger.idle(within=60)
        check(paper)
        assert ledger.total("accepted") == SIGNALS
        for process in workers.running:
            assert process.stop() == 0


def test_the_server_is_killed_and_comes_back(workers: Workers, tmp_path: Path, prefix: str) -> None:
    with (
        # `everysec` puts writes off while the disk is slow to sync: a killed server would forget some.
        Server(tmp_path / "server", appendfsync="no") as server,
        PaperServer(latency=(0.005, 0.03)) as paper,
        connect(server.url) as client,
    ):
        ledger = Ledger(client, prefix)
        for _ in range(2):
            workers.start(paper.webhook_url, redis_url=server.url, entry_expiry=600)
        patient = Settings(redis_url=server.url, prefix=prefix, redis_patience=30)
        with SignalProducer(settings=patient) as producer:
            receipts = producer.send([order(number) for number in range(SIGNALS)])
        assert {str(one.status) for one in receipts} == {"accepted"}
        for part in (1, 2):
            eventually(
                lambda part=part: len(paper.receipts) >= SIGNALS * part // 4, within=30, what="some arrived"
            )
            server.kill()
            server.start()
        eventually(lambda: _idle(ledger), within=60, what="everything has ended", pause=0.1)
        check(paper)
        assert ledger.total("accepted") == SIGNALS
        workers.stop()


def _idle(ledger: Ledger) -> bool:
    return ledger.count("waiting") == 0
