"""Delays: never early, never lost, whatever their length and whoever dies meanwhile."""

from __future__ import annotations

import random
import time

import pytest

from demo.stack import eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import PaperServer


def delayed(connector: str, seconds: float, **fields: str) -> dict[str, object]:
    return {
        "connectorName": connector,
        "connectorToken": "token-for-tests",
        "action": "buy",
        "fixed": "1",
        "delaySeconds": seconds,
        **fields,
    }


def test_two_thousand_mixed_delays(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    # given
    chance = random.Random(3)
    workers.start(paper.webhook_url)
    delays = {f"d{n}": round(chance.uniform(0.2, 3.0), 3) for n in range(2000)}
    # when
    sent_at = time.time()
    receipts = producer.send(
        [delayed(f"acct-{n % 200}", delays[f"d{n}"], clientOrderId=f"d{n}") for n in range(2000)]
    )
    assert {one.status for one in receipts} == {"accepted"}
    ledger.idle()
    # then
    arrived = {one.client_order_id: one for one in paper.receipts}
    assert len(paper.receipts) == len(arrived) == 2000
    assert all(one.received_at >= sent_at + delays[name] for name, one in arrived.items() if name)
    assert all("delaySeconds" not in one.body for one in paper.receipts)


def test_within_a_connector_by_due_time(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    workers.start(paper.webhook_url)
    chance = random.Random(4)
    delays = [round(chance.uniform(0.1, 1.5), 3) for _ in range(100)]
    producer.send(
        [delayed("acct", seconds, clientOrderId=f"{seconds}/{n}") for n, seconds in enumerate(delays)]
    )
    ledger.idle()
    order = [float(str(one.client_order_id).split("/")[0]) for one in paper.receipts]
    assert order == sorted(delays)


@pytest.mark.parametrize(
    ("log", "word", "waits"), [("open now", "open", True), ("close", "open", False), ("", "open", False)]
)
def test_the_filter_decides(
    paper: PaperServer, workers: Workers, producer: SignalProducer, log: str, word: str, waits: bool
) -> None:
    workers.start(paper.webhook_url)
    fields = {"log": log} if log else {}
    before = time.time()
    receipt = producer.send(delayed("acct", 1.0, delaySecondsFilter=word, **fields))
    assert (receipt.due_in > 0) is waits
    (one,) = paper.wait_for_receipts(1)
    assert (one.received_at >= before + 1.0) is waits
    assert "delaySecondsFilter" not in one.body


def test_longer_than_the_horizon_and_the_only_worker_dies(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    # given: a worker that knows of nothing further off than half a second
    settings = {"horizon": 0.5, "sweep_interval": 0.2}
    first = workers.start(paper.webhook_url, **settings)
    before = time.time()
    receipts = producer.send([delayed(f"acct-{n}", 2.0 + n / 100) for n in range(20)])
    # when: it is killed while all of them wait, and another takes its place
    eventually(lambda: ledger.count("delayed") == 20, within=5, what="all are delayed")
    first.kill()
    assert ledger.count("delayed") == 20
    workers.start(paper.webhook_url, **settings)
    # then
    for receipt in receipts:
        assert ledger.outcome(receipt.id) == "accepted"
    assert len(paper.receipts) == 20
    assert all(one.received_at >= before + 2.0 for one in paper.receipts)


def test_a_delay_may_be_left_to_the_platform(
    paper: PaperServer, workers: Workers, settings: object, redis_url: str, prefix: str
) -> None:
    from worker.settings import Settings

    workers.start(paper.webhook_url, platform_delays=True)
    theirs = Settings(redis_url=redis_url, prefix=prefix, platform_delays=True)
    with SignalProducer(settings=theirs) as producer:
        assert producer.send(delayed("acct", 30, delaySecondsFilter="x", log="x")).due_in == 0
    (one,) = paper.wait_for_receipts(1)
    assert float(one.body["delaySeconds"]) == 30
    assert one.body["delaySecondsFilter"] == "x"
