"""The endpoint's own Python sample, straight and through us: the same order arrives."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from producers import SignalProducer
from tests.conftest import Workers
from worker.paper import PaperServer

SAMPLE = {
    "log": "Buy",
    "action": "buy",
    "percent": "100",
    "connectorName": "YOUR_CONNECTOR",
    "connectorToken": "YOUR_TOKEN",
}
EVERYTHING = {
    "connectorName": "acct 1",
    "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
    "action": "openLong",
    "fixed": "0.10",
    "percent": "90",
    "limit": "61250.50",
    "profit": "72000",
    "loss": "58000.0",
    "log": "einstieg → long ✓",
    "clientOrderId": "long-1",
}
SYNC = {
    "connectorName": "acct 1",
    "connectorToken": "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11",
    "log": "sync",
    "entryOrder": {"value": 100, "mode": "compoundAvailableBalancePercent", "size": 1.5, "price": 27000.5},
    "position": {"side": "long", "size": 1.5, "prev_side": "flat", "prev_size": 0},
    "maxWaitPositionReversalSeconds": 20,
}
DELAY = {"delaySeconds": 0.2, "delaySecondsFilter": "a"}


@pytest.mark.parametrize(
    ("payload", "removed"),
    [(SAMPLE, {}), (EVERYTHING, {}), (SYNC, {}), (SAMPLE, {"delaySeconds": 0.2}), (SYNC, DELAY)],
    ids=["sample", "everything", "sync", "sample-delayed", "sync-delayed"],
)
def test_the_same_order_arrives(
    payload: dict[str, Any],
    removed: dict[str, Any],
    paper: PaperServer,
    workers: Workers,
    producer: SignalProducer,
) -> None:
    # given: the page's way
    response = requests.post(paper.webhook_url, json=payload, timeout=10)
    assert response.text == "ok"
    # when: our way
    workers.start(paper.webhook_url)
    receipt = producer.send({**payload, **removed})
    assert receipt.status == "accepted"
    # then
    direct, ours = paper.wait_for_receipts(2, timeout=20)
    assert ours.body == direct.body
    assert {name: repr(value) for name, value in ours.body.items()} == {
        name: repr(value) for name, value in direct.body.items()
    }, "digit for digit"
    assert ours.notes == direct.notes == ()
    assert ours.headers["Content-Type"].startswith("application/json")
