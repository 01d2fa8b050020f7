"""A worker that was suspended for longer than its lease: it neither posts nor settles over its successor."""

from __future__ import annotations

import signal
from pathlib import Path

from demo.stack import Process, eventually
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import PaperServer

SETTINGS = {"deadline": 1.0, "lease": 6.0, "sweep_interval": 0.3, "entry_expiry": 600}


def order(number: int, action: str = "openLong", **fields: object) -> dict[str, object]:
    who = {"connectorName": "acct", "connectorToken": "token-for-tests"}
    return {**who, "action": action, "clientOrderId": f"n-{number}", **fields}


def stands_still(process: Process) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_suspended_before_the_first_byte(workers: Workers, producer: SignalProducer, ledger: Ledger) -> None:
    with PaperServer() as paper:
        # given: a worker that stands still with the connection open and not a byte sent
        slow = workers.start(paper.webhook_url, crash_point="connected:0:SIGSTOP", **SETTINGS)
        first, second = producer.send([order(1, fixed="1"), order(2, fixed="1")])
        eventually(lambda: stands_still(slow), within=10, what="it stands still")
        # when: its lease runs out, another takes over, and it wakes up
        workers.start(paper.webhook_url, **SETTINGS)
        assert ledger.outcome(first.id) == "unknown", "nobody but the sleeper knows that nothing was sent"
        assert ledger.outcome(second.id) == "accepted"
        slow.send(signal.SIGCONT)
        last = producer.send(order(3, fixed="1"))
        assert ledger.outcome(last.id) == "accepted"
        assert slow.stop() == 0
        # then
        assert [one.client_order_id for one in paper.receipts if one.complete] == ["n-2", "n-3"]
        assert ledger.record(first.id)["outcome"] == "unknown"


def test_suspended_before_writing_its_answer_down(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer() as paper:
        slow = workers.start(paper.webhook_url, crash_point="answered:0:SIGSTOP", **SETTINGS)
        first, second = producer.send([order(1, fixed="1"), order(2, fixed="1")])
        eventually(lambda: stands_still(slow), within=10, what="it stands still")
        workers.start(paper.webhook_url, **SETTINGS)
        assert ledger.outcome(first.id) == "unknown"
        assert ledger.outcome(second.id) == "accepted"
        slow.send(signal.SIGCONT)
        # its answer settles its own attempt, late but true
        eventually(
            lambda: ledger.record(first.id)["outcome"] == "accepted", within=10, what="the late answer counts"
        )
        assert ledger.count("dead:unknown") == 0
        assert [one.client_order_id for one in paper.receipts] == ["n-1", "n-2"]


def test_suspended_while_its_full_exit_is_sent_again(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer() as paper:
        slow = workers.start(paper.webhook_url, crash_point="answered:0:SIGSTOP", **SETTINGS)
        receipt = producer.send(order(1, "closeLong"))
        eventually(lambda: stands_still(slow), within=10, what="it stands still")
        workers.start(paper.webhook_url, **SETTINGS)
        assert ledger.outcome(receipt.id) == "accepted"
        before = ledger.record(receipt.id)
        slow.send(signal.SIGCONT)
        assert slow.stop() == 0
        assert ledger.record(receipt.id) == before, "the successor's record stands"
        assert len(paper.receipts) == 2, "a full exit may be repeated"
        assert ledger.total("accepted") == 1
