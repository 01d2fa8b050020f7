"""What a newer release has written, in a format that this one does not know, is left alone by it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import redis

from demo.stack import cli, start_worker
from producers import QueueUnusable, SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.lanes import Lanes, queue
from worker.paper import Mischief, PaperServer
from worker.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kubernetes.md"
SAID = "Redis holds signals of a newer release (format 2, this one knows 1): upgrade this one"


def order(connector: str, name: str, **more: object) -> dict[str, object]:
    who = {"connectorName": connector, "connectorToken": "token-for-tests"}
    return {**who, "action": "openLong", "fixed": "1", "clientOrderId": name, **more}


@pytest.fixture
def newer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> SignalProducer:
    """A producer of a release that writes the next format."""
    with monkeypatch.context() as patch:
        patch.setattr(queue, "FORMAT", 2)
        return SignalProducer(settings=settings)


def dump(client: redis.Redis, prefix: str) -> dict[bytes, bytes]:
    """All there is but what tells of workers."""
    passing = {f"{prefix}{name}".encode() for name in ("workers", "sweep")}
    keys = sorted(set(client.scan_iter(f"{prefix}*")) - passing)
    return {key: client.dump(key) for key in keys}


def command(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "SIGNALS_REDIS_URL": settings.redis_url,
        "SIGNALS_PREFIX": settings.prefix,
    }
    return subprocess.run(
        cli("worker", *words), env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_older_worker_ends_what_it_has_begun_and_goes(
    workers: Workers, producer: SignalProducer, newer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(mischief=Mischief.from_text("latency:min=2,max=2")) as paper, newer:
        # given: a POST in flight, and one more signal behind it
        old = workers.start(paper.webhook_url)
        first, second = producer.send([order("a", "first"), order("a", "second")])
        paper.wait_for_receipts(1, timeout=10)
        # when
        third = newer.send(order("b", "third"))
        # then
        assert old.wait(20) == 0
        assert ledger.record(first.id)["outcome"] == "accepted", "what was in flight is written down"
        for receipt in (second, third):
            assert ledger.record(receipt.id)["state"] == "waiting"
        assert len(paper.receipts) == 1
        assert ledger.client.exists(f"{ledger.prefix}leases") == 0, "nothing is held that newer ones may take"
        events = [json.loads(line) for line in old.output().splitlines()]
        assert [one["error"] for one in events if one["event"] == "stopping: too old for this Redis"] == [
            f"{SAID}; nothing was touched"
        ]


def test_older_ones_refuse_in_one_line_and_touch_nothing(
    settings: Settings, producer: SignalProducer, newer: SignalProducer, ledger: Ledger, tmp_path: Path
) -> None:
    with newer:
        known = newer.send(order("a", "known"))
        newer.send(order("a", "later", delaySeconds=0.01))
    before = dump(ledger.client, ledger.prefix)
    # workers
    process, _ = start_worker(
        settings.redis_url, "http://127.0.0.1:9/", tmp_path / "log", wait=False, prefix=settings.prefix
    )
    assert process.wait(30) == 1
    assert process.output().strip().count("\n") == 0
    assert SAID in process.output()
    # producers
    with pytest.raises(QueueUnusable, match="upgrade this one"):
        producer.send(order("a", "mine"))
    # people
    for words in (("drop", str(known.id), "--by", "ann", "--yes"), ("pause", "--by", "ann")):
        done = command(settings, *words)
        assert (done.returncode, SAID in done.stderr, done.stderr.count("\n")) == (1, True, 1), done.stderr
    assert f"\n{SAID}; nothing was touched\n" in PAGE.read_text("utf-8")
    looked = command(settings, "check", "--json")
    assert SAID in looked.stdout
    assert looked.returncode == 1
    # what only reads still can
    assert command(settings, "status").returncode == 0
    assert dump(ledger.client, ledger.prefix) == before


def test_newer_ones_take_what_older_ones_wrote(
    client: redis.Redis, producer: SignalProducer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = producer.send(order("a", "old"))
    monkeypatch.setattr(queue, "FORMAT", 2)
    (head,) = Lanes(client, prefix=prefix).checkout(["a"], "token").heads
    assert head.id == receipt.id
    assert client.get(f"{prefix}format") is None, "older ones still may: nothing of the new kind is there yet"
