"""SIGTERM: nothing new is begun, what is in flight is finished, lanes are given back."""

from __future__ import annotations

import signal
import time

from demo.stack import eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import PaperServer


def test_what_is_in_flight_settles_and_the_rest_goes_to_another(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(latency=(1.5, 1.5)) as paper:
        # given: 30 POSTs in flight, 3 signals in each lane
        first = workers.start(paper.webhook_url, threads=30)
        producer.send(
            [
                {
                    "connectorName": f"a{n % 40}",
                    "connectorToken": "token-for-tests",
                    "action": "sell",
                    "fixed": "1",
                }
                for n in range(120)
            ]
        )
        eventually(lambda: len(paper.receipts) >= 30, within=10, what="30 are in flight")
        # when
        began = time.monotonic()
        assert first.stop(within=30) == 0
        # then
        assert time.monotonic() - began < 10
        assert ledger.total("accepted") == len(paper.receipts) < 120
        assert ledger.client.exists(f"{ledger.prefix}leases") == 0
        # and another worker does the rest at once, not after a lease has run out
        workers.start(paper.webhook_url)
        ledger.idle(within=18)
        assert ledger.total("accepted") == len(paper.receipts) == 120
        assert ledger.count("dead:unknown") == 0


def test_an_idle_worker_stops_quickly(paper: PaperServer, workers: Workers) -> None:
    process = workers.start(paper.webhook_url)
    began = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - began < 5


def test_probes_and_metrics(
    paper: PaperServer, workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    workers.start(paper.webhook_url)
    (address,) = workers.addresses
    receipt = producer.send({"connectorName": "a", "connectorToken": "token-for-tests", "action": "sell"})
    assert ledger.outcome(receipt.id) == "accepted"
    assert fetch(f"{address}/livez") == (200, "ok\n")
    assert fetch(f"{address}/readyz") == (200, "ok\n")
    assert fetch(f"{address}/elsewhere")[0] == 404
    text = eventually(
        lambda: (
            (page := fetch(f"{address}/metrics")[1])
            and 'signals_outcomes_total{action="sell",class="full",outcome="accepted"} 1.0' in page
            and page
        ),
        within=5,
        what="the outcome is counted",
    )
    assert 'signals_post_duration_seconds_count{verdict="accepted"} 1.0' in str(text)
    assert "signals_lateness_seconds_count 1.0" in str(text)
