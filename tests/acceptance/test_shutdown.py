"""SIGTERM: nothing new is begun, what is in flight is finished, lanes are given back. SIGKILL: what was in
flight is judged, everything else goes on."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter

import pytest

from demo.stack import eventually, fetch
from producers import SignalProducer
from tests.acceptance.conftest import Ledger
from tests.conftest import Workers
from worker.paper import Mischief, PaperServer

CROWD = 100
SLOW = Mischief.from_text("latency:min=2,max=2")
LEASE = 8.0


def crowd(each: int, *actions: str) -> list[dict[str, object]]:
    """``each`` signals for every one of 100 accounts; the actions go round by account."""
    return [
        {
            "connectorName": f"acct-{account}",
            "connectorToken": "token-for-tests",
            "action": actions[account % len(actions)],
            "clientOrderId": f"n-{number}",
            **({} if actions[account % len(actions)].startswith("close") else {"fixed": "1"}),
        }
        for number in range(each)
        for account in range(CROWD)
    ]


def times(paper: PaperServer) -> Counter[tuple[str, str | None]]:
    """How often each order arrived."""
    return Counter((one.connector, one.client_order_id) for one in paper.receipts)


def test_a_hundred_in_flight_settle_and_the_rest_goes_to_another(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(mischief=SLOW) as paper:
        # given: 100 POSTs in flight, and one more signal in each lane
        first = workers.start(paper.webhook_url, threads=CROWD)
        producer.send(crowd(2, "openLong"))
        paper.wait_for_receipts(CROWD, timeout=10)
        # when
        assert ledger.total("accepted") == 0, "all of them are in flight"
        first.send(signal.SIGTERM)
        assert first.wait(10) == 0
        # then
        assert ledger.total("accepted") == len(paper.receipts) == CROWD
        assert ledger.client.exists(f"{ledger.prefix}leases") == 0
        # and another worker does the rest at once, not after a lease has run out
        paper.mischief = Mischief()
        workers.start(paper.webhook_url)
        ledger.idle(within=15)
        assert ledger.total("accepted") == len(paper.receipts) == 2 * CROWD
        assert set(times(paper).values()) == {1}


def test_a_hundred_in_flight_when_it_is_killed(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(mischief=SLOW) as paper:
        # given: 100 POSTs in flight, half of them full exits, and more behind; another worker
        settings = {"deadline": 3.0, "lease": LEASE, "entry_expiry": 600}
        doomed = workers.start(paper.webhook_url, threads=CROWD, **settings)
        receipts = producer.send(crowd(2, "openLong", "closeLong"))
        paper.wait_for_receipts(CROWD, timeout=10)
        workers.start(paper.webhook_url, threads=CROWD, wait=False, **settings)
        assert ledger.total("accepted") == 0, "all of them are in flight"
        # when
        doomed.kill()
        killed = time.monotonic()
        paper.mischief = Mischief()
        ledger.idle(within=30)
        # then
        assert time.monotonic() - killed < LEASE * 1.5 + 10.0
        in_flight, behind = receipts[:CROWD], receipts[CROWD:]
        ends = [ledger.record(one.id)["outcome"] for one in in_flight]
        assert ends == ["unknown", "accepted"] * (CROWD // 2), "entries are held, full exits go again"
        assert {ledger.record(one.id)["outcome"] for one in behind} == {"accepted"}
        arrived = times(paper)
        assert len(arrived) == 2 * CROWD, "nothing is lost"
        again = {order for order, count in arrived.items() if count > 1}
        assert again == {(one.connector, "n-0") for one in in_flight[1::2]}, "nothing else is doubled"
        assert max(arrived.values()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_stops_quickly(paper: PaperServer, workers: Workers, number: signal.Signals) -> None:
    process = workers.start(paper.webhook_url)
    began = time.monotonic()
    process.send(number)
    assert process.wait(20) == 0
    assert time.monotonic() - began < 10
    lines = [json.loads(line) for line in process.output().splitlines()]
    assert [line["event"] for line in lines[-2:]] == ["stopping", "stopped"], "in one form, to the last line"


def test_who_presses_ctrl_c_again_and_again_cuts_nothing_off(
    workers: Workers, producer: SignalProducer, ledger: Ledger
) -> None:
    with PaperServer(mischief=SLOW) as paper:
        process = workers.start(paper.webhook_url)
        receipt = producer.send({"connectorName": "a", "connectorToken": "token-for-tests", "action": "sell"})
        paper.wait_for_receipts(1, timeout=10)
        while process.exit_code is None:
            process.send(signal.SIGINT)
            time.sleep(0.2)
        assert process.exit_code == 0
        assert ledger.record(receipt.id)["outcome"] == "accepted"


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
    assert 'signals_lateness_seconds_count{delayed="no"} 1.0' in str(text)
