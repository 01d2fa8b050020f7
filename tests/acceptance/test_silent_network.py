"""Connections that are dead or lead to the wrong server and say nothing, and a server that stands still."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from chaos.wire import Wire
from demo.stack import Server, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import PaperServer
from worker.settings import Settings

SIGNALS = 100
RECOVERY = 8.0
"""Seconds after which docs/redis.md promises that a worker consumes again."""


def order(number: int, lanes: int = 1) -> dict[str, object]:
    return {
        "connectorName": f"acct-{number % lanes}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number:03}",
    }


def arrived(paper: PaperServer) -> list[str | None]:
    return [one.client_order_id for one in paper.receipts]


def test_connections_that_are_forgotten(workers: Workers, server: Server, prefix: str) -> None:
    with (
        PaperServer() as paper,
        Wire(server.port) as wire,
        SignalProducer(settings=Settings(redis_url=server.url, prefix=prefix)) as near,
        SignalProducer(
            settings=Settings(redis_url=f"redis://127.0.0.1:{wire.port}", prefix=prefix, redis_patience=30)
        ) as far,
    ):
        worker = workers.start(paper.webhook_url, redis_url=f"redis://127.0.0.1:{wire.port}/0")
        far.send(order(0))
        eventually(lambda: len(paper.receipts) == 1, within=10, what="it works")
        for number, producer in enumerate((near, far), start=1):
            # when: all connections are dead without a word; new ones work
            wire.forget()
            # then
            producer.send(order(number))
            eventually(
                lambda number=number: len(paper.receipts) == number + 1, within=RECOVERY, what="consumed"
            )
        assert worker.stop() == 0
        assert arrived(paper) == sorted(set(map(str, arrived(paper))))


def test_a_name_that_leads_to_another_server(workers: Workers, prefix: str, tmp_path: Path) -> None:
    prompt = {"repl-diskless-sync-delay": "0"}
    with (
        Server(tmp_path / "one", **prompt) as old,
        Server(tmp_path / "two", replicaof=f"127.0.0.1 {old.port}") as new,
        Wire(old.port) as name,
        connect(old.url) as one,
        connect(new.url) as two,
        PaperServer() as paper,
        SignalProducer(
            settings=Settings(redis_url=f"redis://127.0.0.1:{name.port}", prefix=prefix, redis_patience=30)
        ) as producer,
    ):
        worker = workers.start(
            paper.webhook_url, redis_url=f"redis://127.0.0.1:{name.port}/0", sweep_interval=60
        )
        producer.send(order(0))
        eventually(lambda: len(paper.receipts) == 1, within=10, what="it works")
        eventually(lambda: one.execute_command("WAIT", 1, 100) == 1, within=10, what="a copy is there")
        # when: the servers change their roles; connections to the old one stay open
        name.target = new.port
        two.replicaof("NO", "ONE")
        one.replicaof("127.0.0.1", str(new.port))
        # then: everybody finds the new one, and rings do; no sweep helps
        for number in (1, 2):
            assert producer.send(order(number, lanes=3)).status == "accepted"
        eventually(lambda: len(paper.receipts) == 3, within=RECOVERY, what="both rings are heard")
        assert worker.stop() == 0


def test_a_server_that_stands_still(workers: Workers, prefix: str, tmp_path: Path) -> None:
    with (
        Server(tmp_path / "server") as server,
        PaperServer(latency=(0.01, 0.05)) as paper,
        connect(server.url) as client,
        SignalProducer(settings=Settings(redis_url=server.url, prefix=prefix, redis_patience=60)) as producer,
    ):
        pid = client.info("server")["process_id"]
        for _ in range(2):
            workers.start(paper.webhook_url, redis_url=server.url, entry_expiry=600)
        producer.send([order(number) for number in range(SIGNALS)])
        eventually(lambda: len(paper.receipts) > 10, within=20, what="some arrived")
        # when
        os.kill(pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + 6.0
            eventually(lambda: time.monotonic() >= end, within=7, what="it stands still")
            before = len(paper.receipts)
        finally:
            os.kill(pid, signal.SIGCONT)
        # then
        eventually(lambda: len(paper.receipts) > before, within=RECOVERY, what="posting goes on")
        ledger = Ledger(client, prefix)
        ledger.idle(within=60)
        assert arrived(paper) == sorted(set(map(str, arrived(paper))))
        assert ledger.total("accepted") == SIGNALS
        for process in workers.running:
            assert process.stop() == 0
