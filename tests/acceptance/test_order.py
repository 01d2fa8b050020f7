"""Each connector's signals arrive in the order they were sent, whatever happens on the way."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import Mischief, PaperServer

CONNECTORS, EACH = 50, 40


def test_fifty_connectors_three_workers_and_a_busy_endpoint(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(latency=(0, 0.05), mischief=Mischief.from_text("503:p=0.1"), seed=1) as paper:
        for _ in range(3):
            workers.start(paper.webhook_url, backoff_base=0.05, entry_expiry=600)
        receipts = producer.send(
            [
                {
                    "connectorName": f"acct-{connector}",
                    "connectorToken": "token-for-tests",
                    "action": "buy",
                    "fixed": "1",
                    "clientOrderId": f"n-{number}",
                }
                for number in range(EACH)
                for connector in range(CONNECTORS)
            ]
        )
        assert {one.status for one in receipts} == {"accepted"}
        ledger.idle(within=120)
        arrived = paper.receipts

    assert ledger.total("accepted") == CONNECTORS * EACH
    taken: dict[str, list[str]] = defaultdict(list)
    seen: dict[str, list[str]] = defaultdict(list)
    for one in arrived:
        assert one.connector is not None
        assert one.client_order_id is not None
        seen[one.connector].append(one.client_order_id)
        if one.status == 200:
            taken[one.connector].append(one.client_order_id)
    expected = [f"n-{number}" for number in range(EACH)]
    assert len(taken) == CONNECTORS
    assert all(ids == expected for ids in taken.values()), "once each, in order, none missing"
    assert len(arrived) > CONNECTORS * EACH, "the endpoint did refuse some"
    assert all(ids == sorted(ids, key=expected.index) for ids in seen.values()), "a retry keeps its place"


def test_one_at_a_time_per_connector(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    with PaperServer(latency=(0.005, 0.02), seed=2) as paper:
        workers.start(paper.webhook_url, quantum_signals=3)
        workers.start(paper.webhook_url, quantum_signals=3)
        producer.send(
            [
                {
                    "connectorName": f"a{n % 4}",
                    "connectorToken": "token-for-tests",
                    "action": "sell",
                    "fixed": "1",
                }
                for n in range(80)
            ]
        )
        ledger.idle()
        arrived = paper.receipts
    assert len(arrived) == 80
    for name in {one.connector for one in arrived}:
        own = [one for one in arrived if one.connector == name]
        for before, after in pairwise(own):
            assert before.answered_mono is not None
            assert before.answered_mono <= after.received_mono
