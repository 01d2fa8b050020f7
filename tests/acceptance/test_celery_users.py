"""A program that is a Celery app itself sends signals, and shares its Redis with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from demo.stack import Process, eventually
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes.redis import connect
from worker.paper import PaperServer

THEIRS = """
import os
from celery import Celery
from producers import SignalProducer

app = Celery("theirs", broker=os.environ["THEIR_BROKER"])
app.conf.broker_connection_retry_on_startup = True


@app.task(bind=True)
def trade(self, signal):
    with SignalProducer(app.conf.broker_url) as producer:
        print(f"told {producer.send(signal, idempotency_key=self.request.id).status}")
"""


@pytest.fixture
def broker(redis_url: str) -> Iterator[str]:
    """A database of the shared server that holds nothing else."""
    url = redis_url.removesuffix("/0") + "/7"
    with connect(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def theirs(broker: str, prefix: str, tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "theirs.py").write_text(THEIRS)
    command = [sys.executable, "-m", "celery", "-A", "theirs", "worker", "-c", "1", "-l", "warning"]
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = {"THEIR_BROKER": broker, "SIGNALS_PREFIX": prefix, "PYTHONPATH": path}
    process = Process(command, tmp_path / "theirs.log", environment)
    yield process
    if process.exit_code is None:
        process.stop()


def test_both_do_their_work_side_by_side(broker: str, theirs: Process, workers: Workers, prefix: str) -> None:
    app = Celery("caller", broker=broker, set_as_current=False)
    signal = {"connectorName": "a", "connectorToken": "token-for-tests", "action": "buy", "fixed": "1"}
    with PaperServer() as paper, connect(broker) as client, app:
        # Without sweeps, only what Celery carries past their worker gets there.
        ours = workers.start(paper.webhook_url, redis_url=broker, patience=600, sweep_interval=60)
        later = {**signal, "delaySeconds": 0.5}
        app.send_task("theirs.trade", [signal])
        task = app.send_task("theirs.trade", [later])
        app.send_task("theirs.trade", [later], task_id=task.id)  # a task is run twice
        ledger = Ledger(client, prefix)
        eventually(lambda: ledger.total("accepted") == 2, within=30, what="both are posted")
        eventually(lambda: theirs.output().count("told ") == 3, within=30, what="all tasks have run")
        assert len(paper.receipts) == 2
        assert theirs.output().count("told accepted") == 2
        assert theirs.output().count("told duplicate") == 1
        assert client.llen("celery") == 0
        assert strangers(client, prefix) == set()
        assert ours.stop() == 0
        assert theirs.stop() == 0
        for log in (theirs.output(), ours.output()):
            assert "unregistered task" not in log
            assert "Traceback" not in log


def strangers(client: redis.Redis, prefix: str) -> set[str]:
    """Keys that are neither under our prefix nor Celery's own."""
    names = {name.decode() for name in client.scan_iter("*")}
    return {name for name in names if not name.startswith((prefix, "_kombu", "celery", "unacked"))}
