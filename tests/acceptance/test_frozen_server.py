"""Redis stands still for a minute, as in a stalled machine or a long fork, and then goes on.

Worse than a restart: connections stay open, leases run out in one moment, and what clients asked in vain is
done all the same when the server wakes up.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import redis

from demo.stack import Server, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import PaperServer
from worker.settings import Settings

FREEZE = 60.0
AWAKE = 10.0
"""Seconds after the thaw by which a fresh signal must have arrived."""
SENDERS, CONNECTORS = 2, 10


def order(connector: str, number: int) -> dict[str, object]:
    return {
        "connectorName": connector,
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number:06}",
    }


@contextmanager
def standing_still(client: redis.Redis) -> Iterator[None]:
    pid = int(client.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def send_on(producer: SignalProducer, sender: int, enough: threading.Event) -> int:
    """Send batch after batch, one signal for each connector of this sender; how many there were."""
    for number in count():
        batch = [order(f"acct-{sender}-{connector}", number) for connector in range(CONNECTORS)]
        assert {str(one.status) for one in producer.send(batch)} == {"accepted"}
        if enough.wait(0.05):
            return (number + 1) * CONNECTORS
    raise AssertionError


def test_frozen_for_a_minute_under_load(workers: Workers, tmp_path: Path, prefix: str) -> None:
    enough = threading.Event()
    with (
        Server(tmp_path / "server") as server,
        PaperServer(latency=(0, 0.02)) as paper,
        connect(server.url) as client,
        SignalProducer(
            settings=Settings(
                redis_url=server.url, prefix=prefix, redis_patience=FREEZE * 2, entry_expiry=600
            )
        ) as producer,
        ThreadPoolExecutor(SENDERS) as pool,
    ):
        ledger = Ledger(client, prefix)
        for _ in range(2):
            workers.start(paper.webhook_url, redis_url=server.url, entry_expiry=600)
        try:
            # given: two workers and two senders at it
            senders = [pool.submit(send_on, producer, sender, enough) for sender in range(SENDERS)]
            paper.wait_for_receipts(300, timeout=20)
            # when: the server stands still for longer than any lease, and goes on
            with standing_still(client):
                threading.Event().wait(FREEZE)
            thawed = time.monotonic()
            # then: work goes on soon, with the same workers
            producer.send(order("fresh", 0))
            eventually(
                lambda: any(one.connector == "fresh" for one in paper.receipts),
                within=AWAKE - (time.monotonic() - thawed),
                what="a fresh signal arrives",
            )
        finally:
            enough.set()
        sent = sum(sender.result() for sender in senders)
        ledger.idle(within=30)
        assert all(worker.exit_code is None for worker in workers.running)
        check(paper, ledger, sent + 1)
        workers.stop()


def check(paper: PaperServer, ledger: Ledger, sent: int) -> None:
    arrived = Counter((one.connector, one.client_order_id) for one in paper.receipts)
    assert max(arrived.values()) == 1, "no entry arrives twice"
    in_doubt = ledger.count("dead:unknown")
    assert ledger.total("accepted") + in_doubt == sent, "every signal has one outcome"
    assert len(arrived) == sent, "nothing is lost"
    assert in_doubt == 0, "who posted it did write it down"
    by_lane: dict[str, list[str | None]] = defaultdict(list)
    for one in paper.receipts:
        by_lane[one.connector].append(one.client_order_id)
    assert all(ids == sorted(ids, key=str) for ids in by_lane.values()), "order holds"
