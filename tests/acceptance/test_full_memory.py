"""A server without room takes no new signals, but what it holds is worked off, which makes room again."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.stack import Server, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.errors import QueueUnavailable
from worker.lanes.redis import connect
from worker.paper import PaperServer
from worker.settings import Settings

SIGNALS = 30


def order(number: int) -> dict[str, object]:
    who = {"connectorName": f"acct-{number % 5}", "connectorToken": "token-for-tests"}
    return {**who, "action": "openLong", "fixed": "1", "clientOrderId": f"n-{number}"}


def test_a_worker_starts_and_reconnects_while_memory_is_full(
    workers: Workers, tmp_path: Path, prefix: str
) -> None:
    with (
        Server(tmp_path / "server") as server,
        PaperServer() as paper,
        connect(server.url) as client,
        SignalProducer(
            settings=Settings(redis_url=server.url, prefix=prefix, redis_patience=0.5)
        ) as producer,
    ):
        ledger = Ledger(client, prefix)
        producer.send([order(number) for number in range(SIGNALS)])
        # when: there is no room, and a worker that has never seen this server comes
        client.config_set("maxmemory", 1)
        with pytest.raises(QueueUnavailable):
            producer.send(order(SIGNALS))
        worker = workers.start(paper.webhook_url, redis_url=server.url)
        # then
        ledger.idle(within=15)
        assert len(paper.receipts) == SIGNALS
        # when: it loses its connections, and there is room again after a while
        client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
        eventually(
            lambda: worker.output().count('"event": "Connected to') >= 2, within=15, what="it is connected"
        )
        client.config_set("maxmemory", 0)
        producer.send(order(SIGNALS))
        ledger.idle(within=15)
        # then
        assert len(paper.receipts) == SIGNALS + 1
        assert worker.stop() == 0
