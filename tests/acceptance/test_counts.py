"""What Prometheus adds up is what the endpoint got and what the ledger says, though a worker is killed."""

from __future__ import annotations

from demo.stack import eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.acceptance.test_metrics import order, values
from tests.conftest import Workers
from worker.paper import Mischief, PaperServer


def ended(address: str) -> dict[str, float]:
    """What this worker has counted, by outcome; none of those that did not occur."""
    counts = {
        name.partition('outcome="')[2].partition('"')[0]: count
        for name, count in values(address).items()
        if name.startswith("signals_latency_seconds_count{")
    }
    return {outcome: count for outcome, count in counts.items() if count}


def test_counts_of_all_workers_are_those_of_endpoint_and_ledger(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    mischief = Mischief.from_text("400:clientOrderId=bad", "reset:clientOrderId=lost")
    with PaperServer(mischief=mischief) as paper:
        # given: a worker that has ended some signals, and is killed
        first = workers.start(paper.webhook_url)
        producer.send([order("lost", clientOrderId="lost"), *(order(f"early-{one}") for one in range(5))])
        eventually(
            lambda: ended(workers.addresses[0]) == {"accepted": 5, "unknown": 1},
            within=15,
            what="the first worker has counted its own",
        )
        first.kill()
        # when: another ends the rest
        workers.start(paper.webhook_url)
        producer.send([order("bad", clientOrderId="bad"), *(order(f"late-{one}") for one in range(3))])
        # then: it counts its own only
        eventually(
            lambda: ended(workers.addresses[1]) == {"accepted": 3, "rejected": 1},
            within=15,
            what="the second worker has counted its own",
        )
        # and: together they are what the ledger says and what the endpoint got
        told = {name: ledger.total(name) for name in ("accepted", "unknown", "rejected")}
        assert told == {"accepted": 8, "unknown": 1, "rejected": 1}
        assert len(paper.receipts) == sum(told.values())
