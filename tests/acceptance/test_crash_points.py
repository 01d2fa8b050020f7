"""A process dies by SIGKILL between any two steps that matter; another takes over.

Every signal still ends in exactly one outcome, no entry is posted twice, order holds. What was in flight may
become unknown, and only where the process died between the note “sending” and the written outcome.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest

from producers import Receipt, SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker import crash
from worker.paper import Mischief, PaperServer
from worker.records import Outcome

LEASE = 6.0
SETTINGS = {"deadline": 1.0, "lease": LEASE, "sweep_interval": 0.3, "patience": 1.0, "entry_expiry": 600}
LANES, EACH = 6, 4


@dataclass(frozen=True)
class Case:
    """``unknown``: whether signals in flight may end so. ``doubt``: whether they may also have arrived."""

    point: str
    unknown: bool
    mischief: str = "latency:min=0,max=0.01"
    passes: int = 0
    delay: float = 0.0


CASES = [
    Case("rung", unknown=False),
    Case("checked-out", unknown=True),
    Case("connected", unknown=True, passes=7),
    Case("half-sent", unknown=True, passes=7),
    Case("answered", unknown=True, passes=5),
    Case("settled", unknown=True, passes=3),
    Case("deferred", unknown=True, mischief="503:first=3"),
    Case("woken", unknown=False, delay=0.5),
]


def order(lane: int, number: int, delay: float = 0.0, **fields: object) -> dict[str, object]:
    return {
        "connectorName": f"acct-{lane}",
        "connectorToken": "token-for-tests",
        "action": "openLong",
        "fixed": "1",
        "clientOrderId": f"n-{number}",
        **({"delaySeconds": delay} if delay else {}),
        **fields,
    }


def check(paper: PaperServer, ledger: Ledger, receipts: list[Receipt], *, unknown: bool) -> None:
    """Hold what the sender was told, what arrived and what the ledger says against each other."""
    arrived = [one for one in paper.receipts if one.complete and one.status != 503]
    times = Counter((one.connector, one.client_order_id) for one in arrived)
    assert max(times.values()) == 1, "no entry arrives twice"
    by_lane: dict[str | None, list[str]] = defaultdict(list)
    for one in arrived:
        by_lane[one.connector].append(str(one.client_order_id))
    assert all(ids == sorted(ids) for ids in by_lane.values()), "order holds"
    outcomes = {receipt.id: ledger.record(receipt.id).get("outcome") for receipt in receipts}
    assert set(outcomes.values()) <= {"accepted", "unknown"}, "every signal has one outcome"
    doubtful = sum(outcome == "unknown" for outcome in outcomes.values())
    assert doubtful <= (LANES if unknown else 0), "at most what was in flight is unknown"
    assert len(arrived) >= len(receipts) - doubtful, "what is called accepted did arrive"
    assert sum(ledger.total(outcome) for outcome in Outcome) == len(receipts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.point)
def test_a_worker_dies(case: Case, workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    assert case.point in crash.POINTS
    with PaperServer(mischief=Mischief.from_text(case.mischief)) as paper:
        # given: a worker that will die at this point
        doomed = workers.start(paper.webhook_url, crash_point=f"{case.point}:{case.passes}", **SETTINGS)
        receipts = producer.send(
            [order(lane, number, case.delay) for number in range(EACH) for lane in range(LANES)]
        )
        assert doomed.wait(15) == -signal.SIGKILL
        # when: another takes over
        died = time.monotonic()
        workers.start(paper.webhook_url, **SETTINGS)
        ledger.idle(within=30)
        # then
        assert time.monotonic() - died < LEASE * 1.5 + 3.0, "everything else goes out soon after the lease"
        check(paper, ledger, receipts, unknown=case.unknown)


def test_a_sweeping_worker_dies(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    with PaperServer() as paper:
        # given: rings that nobody got
        receipts = producer.send([order(lane, 0) for lane in range(LANES)])
        ledger.client.delete(f"{ledger.prefix}rings")
        doomed = workers.start(paper.webhook_url, crash_point="swept", wait=False, **SETTINGS)
        assert doomed.wait(15) == -signal.SIGKILL
        workers.start(paper.webhook_url, **SETTINGS)
        ledger.idle(within=30)
        check(paper, ledger, receipts, unknown=False)


def test_a_producer_dies_after_its_signals_were_taken(
    workers: Workers, ledger: Ledger, producer: SignalProducer, redis_url: str, prefix: str
) -> None:
    with PaperServer() as paper:
        script = (
            "from producers import SignalProducer; from worker import crash;"
            " from worker.settings import Settings; crash.arm('admitted');"
            f" SignalProducer(settings=Settings(redis_url={redis_url!r}, prefix={prefix!r}))"
            ".send({'connectorName': 'acct-0', 'connectorToken': 'token-for-tests', 'action': 'buy',"
            " 'fixed': '1', 'clientOrderId': 'n-0'})"
        )
        done = subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
        assert done.returncode == -signal.SIGKILL
        assert ledger.count("waiting") == 1
        workers.start(paper.webhook_url, **SETTINGS)
        ledger.idle(within=15)
        assert len(paper.receipts) == 1


def test_an_operator_dies_after_a_resend(
    workers: Workers, ledger: Ledger, producer: SignalProducer, redis_url: str, prefix: str
) -> None:
    with PaperServer(mischief=Mischief.from_text("reset:first=1")) as paper:
        workers.start(paper.webhook_url, **SETTINGS)
        receipt = producer.send(order(0, 0))
        assert ledger.outcome(receipt.id) == "unknown"
        script = "from worker import crash; crash.arm('resolved'); from worker.cli import main; main()"
        environment = {"SIGNALS_REDIS_URL": redis_url, "SIGNALS_PREFIX": prefix}
        done = subprocess.run(
            [sys.executable, "-c", script, "dead", "resend", str(receipt.id), "--yes", "--by", "ann"],
            env=environment,
            check=False,
            timeout=30,
        )
        assert done.returncode == -signal.SIGKILL
        ledger.idle(within=15)
        assert ledger.outcome(receipt.id) == "accepted"
        assert len(paper.receipts) == 2
