"""SIGNALS_DURABILITY=replicas with real workers: no POST before a replica has the claim."""

from __future__ import annotations

import os
import signal
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

SAFE = {"durability": "replicas", "durability_timeout": 0.3}


def order(number: int) -> dict[str, object]:
    return {
        "connectorName": f"acct-{number % 3}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number}",
    }


def test_a_replica_that_stands_still(workers: Workers, prefix: str, tmp_path: Path) -> None:
    with (
        Server(tmp_path / "one", **{"repl-diskless-sync-delay": "0"}) as primary,
        Server(tmp_path / "two", replicaof=f"127.0.0.1 {primary.port}") as replica,
        connect(primary.url) as client,
        connect(replica.url) as second,
        PaperServer() as paper,
    ):
        eventually(lambda: client.execute_command("WAIT", 1, 100) == 1, within=10, what="a replica")
        pid = second.info("server")["process_id"]
        worker = workers.start(paper.webhook_url, redis_url=primary.url, **SAFE)
        safe = Settings(redis_url=primary.url, prefix=prefix, redis_patience=1, **SAFE)
        bold = Settings(redis_url=primary.url, prefix=prefix)
        with SignalProducer(settings=safe) as careful, SignalProducer(settings=bold) as careless:
            assert careful.send(order(0)).status == "accepted"
            eventually(lambda: len(paper.receipts) == 1, within=10, what="it is posted")
            # when
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(QueueUnavailable, match=r"not in 1 replica"):
                    careful.send(order(1))
                for number in range(2, 8):
                    careless.send(order(number))
                # then: several times it is tried, and nothing goes out
                eventually(lambda: worker.output().count("not posted") >= 2, within=20, what="tries")
                assert len(paper.receipts) == 1
                # and a worker that ends leaves nothing of unknown fate behind
                assert worker.stop() == 0
                states = {
                    client.hget(key, "state") for key in client.scan_iter(f"{prefix}signal:*", count=100)
                }
                assert states == {b"waiting", b"finished"}
                workers.start(paper.webhook_url, redis_url=primary.url, **SAFE)
            finally:
                os.kill(pid, signal.SIGCONT)
            Ledger(client, prefix).idle(within=15)
        assert Ledger(client, prefix).total("accepted") == 8
        arrived = [one.client_order_id for one in paper.receipts]
        assert len(arrived) == len(set(arrived)) == 8
        workers.stop()
