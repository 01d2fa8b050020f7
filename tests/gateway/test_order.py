"""In which order signals go out that come over HTTP."""

from __future__ import annotations

import json
import threading
import time

import requests

from demo.stack import eventually
from tests.conftest import Workers
from tests.gateway.conftest import ALPHA, Gateway, Gateways
from worker.paper import PaperServer

CLOSE = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "closeLong"}
OPEN = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "openLong", "percent": "10"}
WINDOW = 1.0


def test_a_batch_keeps_its_order(gateways: Gateways, workers: Workers, paper: PaperServer) -> None:
    headers = gateways.add_key("all", connectors=["*"])
    gateway = gateways.start()
    batch = [{**(OPEN if number % 2 else CLOSE), "log": str(number)} for number in range(100)]
    lines = "\n".join(map(json.dumps, batch))
    for body in (json.dumps(batch), lines):
        answer = requests.post(gateway.v1, data=body, headers=headers, timeout=10)
        assert answer.status_code == 200
        assert [one["index"] for one in answer.json()["receipts"]] == list(range(100))
    workers.start(paper.webhook_url, accounts_file=gateways.accounts, entry_expiry=600)
    arrived = paper.wait_for_receipts(200, timeout=30)
    assert [one.body["log"] for one in arrived] == [str(number) for number in range(100)] * 2


def test_the_order_window_sorts_by_arrival_what_replicas_admit_out_of_order(
    gateways: Gateways, workers: Workers, paper: PaperServer
) -> None:
    """A close that came first is admitted last, because its replica was suspended in between."""
    slow = gateways.start(gateway_order_window=WINDOW, gateway_deadline=10)
    quick = gateways.start(gateway_order_window=WINDOW, gateway_deadline=10)
    for gateway in (slow, quick):
        assert gateway.post({**CLOSE, "connectorName": "beta", "connectorToken": "x"}).status_code == 403
    workers.start(paper.webhook_url, accounts_file=gateways.accounts, entry_expiry=600)
    with holding_body(slow, CLOSE) as finish:
        # given: the open is through at the second replica, while the close is still on its way at the first
        assert quick.post(OPEN).text == "ok"
        finish()
    arrived = paper.wait_for_receipts(2, timeout=20)
    # then: what came first goes first, and the close does not drop the open
    assert [one.body["action"] for one in arrived] == ["closeLong", "openLong"]


class holding_body:  # noqa: N801 - reads like a function
    """A request whose head has arrived, and whose body comes when it is told to."""

    def __init__(self, gateway: Gateway, signal: dict[str, str]) -> None:
        self._gateway, self._body = gateway, json.dumps(signal).encode()
        self._go, self._begun = threading.Event(), threading.Event()
        self._answer: requests.Response | None = None
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> holding_body:
        self._thread.start()
        assert self._begun.wait(10)
        time.sleep(0.1)  # so long the head is on its way, and longer; the window is much longer
        return self

    def __call__(self) -> None:
        self._go.set()
        self._thread.join(20)
        assert self._answer is not None
        assert self._answer.text == "ok"

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._thread.join(20)

    def _send(self) -> None:
        def pieces() -> object:
            self._begun.set()
            yield self._body[:10]
            assert self._go.wait(20)
            yield self._body[10:]

        self._answer = requests.post(self._gateway.webhook, data=pieces(), timeout=20)  # type: ignore[arg-type]


def test_a_held_signal_keeps_its_own_delay(gateways: Gateways, workers: Workers, paper: PaperServer) -> None:
    gateway = gateways.start(gateway_order_window=0.5)
    headers = {"Accept": "application/json"}
    first = gateway.post({**OPEN, "delaySeconds": 30}, headers=headers).json()["receipts"][0]
    second = gateway.post(OPEN, headers=headers).json()["receipts"][0]
    assert first["due_in"] == 30
    assert 0 < second["due_in"] <= 0.5
    workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    eventually(lambda: len(paper.receipts) == 1, within=20, what="the second goes out, not the first")
