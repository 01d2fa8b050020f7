"""TradingView sends a message again after a 5xx: whatever happened to the first, one order comes of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from chaos.wire import Wire
from demo.stack import Server, eventually
from tests.conftest import Workers
from tests.gateway.conftest import ALPHA, BETA, DESK, Gateway, Gateways
from tests.servers import RedisServer
from worker.paper import PaperServer

PATIENCE = 3.0
"""Seconds that TradingView waits."""
SOON = 3.0
"""Seconds in which the same text is another signal; TradingView sends again after 5."""
SYNC = {
    "connectorName": "alpha",
    "connectorToken": ALPHA,
    "entryOrder": {"value": 100, "mode": "compoundAvailableBalancePercent"},
    "position": {"side": "long", "size": 1, "prev_side": "flat", "prev_size": 0},
}
BUY = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "buy", "percent": "10"}
CANCEL = {"connectorName": "beta", "connectorToken": BETA, "action": "cancelAll"}
NAMED = {**BUY, "action": "openLong", "clientOrderId": "Long"}


def deliver(gateway: Gateway, signal: dict[str, object]) -> int:
    """One delivery as TradingView makes it: the status, or 0 if it hung up."""
    try:
        return requests.post(gateway.webhook, json=signal, timeout=PATIENCE).status_code
    except requests.RequestException:
        return 0


def wait_as_tradingview() -> None:
    """Not for luck: nobody sends again sooner, and what comes sooner is no redelivery."""
    time.sleep(SOON + 0.2)


def test_redis_freezes_dies_and_comes_back_in_between(
    tmp_path: Path, prefix: str, workers: Workers, paper: PaperServer
) -> None:
    with RedisServer(tmp_path / "redis", "appendfsync always") as server:
        gateways = Gateways(server.url, prefix, tmp_path)
        gateway = gateways.start()
        messages = [{**SYNC, "log": "a"}, {**BUY, "log": "b"}, {**NAMED, "log": "c"}]
        try:
            server.freeze()  # what was asked is done when it thaws, if anybody listens still
            with ThreadPoolExecutor(3) as pool:
                assert set(pool.map(lambda one: deliver(gateway, one), messages)) == {503}
            server.thaw()
            wait_as_tradingview()
            server.kill()
            assert [deliver(gateway, one) for one in messages] == [503] * 3
            server.start()
            wait_as_tradingview()
            with ThreadPoolExecutor(3) as pool:
                thawing = pool.map(lambda one: deliver(gateway, one), messages)
                server.freeze()
                time.sleep(0.5)  # not for luck: how long it stands still, while deliveries are on their way
                server.thaw()
                told = list(thawing)
            # who was told ok does not send again
            wait_as_tradingview()
            left = [one for one, status in zip(messages, told, strict=True) if status != 200]
            assert [deliver(gateway, one) for one in left] == [200] * len(left)
            workers.start(
                paper.webhook_url, redis_url=server.url, accounts_file=gateways.accounts, entry_expiry=600
            )
            arrived = paper.wait_for_receipts(3, timeout=30)
            workers.stop()
        finally:
            gateways.stop()
    assert sorted(str(one.body["log"]) for one in arrived) == ["a", "b", "c"]


def test_redis_thaws_just_before_the_message_comes_again(tmp_path: Path, prefix: str) -> None:
    with RedisServer(tmp_path / "redis") as server:
        gateways = Gateways(server.url, prefix, tmp_path)
        gateway = gateways.start()
        try:
            assert gateway.post(CANCEL).status_code == 200  # the connection is open, the script known
            server.freeze()
            first = gateway.post(BUY)
            assert (first.status_code, first.headers["Retry-After"]) == (503, "5")
            server.thaw()  # only now is the first taken, so its text is young
            again = gateway.receipts(BUY)
            with server.client as client:
                eventually(lambda: client.llen(f"{prefix}lane:alpha"), within=10, what="it is on its lane")
                # another connection's command, the first's, has been carried out by then
                assert client.lrange(f"{prefix}lane:alpha", 0, -1) == [again[0]["id"]]
            # once it has been told, the same text is a new signal
            assert gateway.receipts(BUY)[0]["id"] != again[0]["id"]
        finally:
            gateways.stop()


def test_a_group_of_which_one_lane_is_full(gateways: Gateways) -> None:
    gateway = gateways.start(lane_limit=1)
    key = gateways.add_key("all", connectors=["*"])
    (other,) = gateway.receipts({**BUY, "connectorName": "beta", "connectorToken": BETA})
    desk = {"group": "desk", "connectorToken": DESK, "action": "buy", "percent": "10"}
    first = gateway.post(desk)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "5")
    assert first.text.startswith("1 of 2 taken; beta: ")
    eventually(
        lambda: requests.delete(f"{gateway.v1}/{other['id']}", headers=key, timeout=10).ok,
        within=10,
        what="there is room",
    )
    # alpha has it already, and would have no room for another
    assert [receipt["status"] for receipt in gateway.receipts(desk)] == ["accepted", "accepted"]


def test_the_answer_of_redis_is_lost(
    server: Server, prefix: str, tmp_path: Path, workers: Workers, paper: PaperServer
) -> None:
    with Wire(server.port) as wire:
        gateways = Gateways(f"redis://127.0.0.1:{wire.port}/0", prefix, tmp_path)
        gateway = gateways.start()
        try:
            for message in (SYNC, BUY, NAMED):
                assert gateway.post(CANCEL).status_code == 200  # the connection is open, the script known
                wire.loses = 1.0
                assert deliver(gateway, message) == 503
                wire.loses = 0.0
                wait_as_tradingview()
                (receipt,) = gateway.receipts(message)
                # it had been taken; what has no id of its own is taken again under the first's
                assert receipt["status"] == ("duplicate" if message is NAMED else "accepted")
        finally:
            gateways.stop()
    workers.start(paper.webhook_url, accounts_file=tmp_path / "accounts.json", entry_expiry=600)
    arrived = paper.wait_for_receipts(6, timeout=20)
    workers.stop()
    assert [one.body.get("action") for one in arrived if one.connector == "alpha"] == [
        None,
        "buy",
        "openLong",
    ]


def test_the_gateway_dies_between_admission_and_answer_and_another_replica_is_asked(
    gateways: Gateways, workers: Workers, paper: PaperServer
) -> None:
    first = gateways.start(crash_point="admitted")
    second = gateways.start()
    assert deliver(first, BUY) == 0
    assert first.process.wait(10) != 0
    wait_as_tradingview()
    (receipt,) = second.receipts(BUY)
    assert receipt["status"] == "duplicate"
    workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    paper.wait_for_receipts(1, timeout=20)
    workers.stop()
    assert len(paper.receipts) == 1


def test_an_answer_that_nobody_waited_for_leaves_the_text_known(
    tmp_path: Path, server: Server, prefix: str
) -> None:
    with Wire(server.port) as wire:
        gateways = Gateways(f"redis://127.0.0.1:{wire.port}/0", prefix, tmp_path)
        first = gateways.start(gateway_deadline=30)
        try:
            assert first.post(BUY).status_code == 200  # connections are open now
            wire.delay = 0.3
            try:
                requests.post(first.webhook, json={**BUY, "log": "left"}, timeout=0.1)
            except requests.Timeout:
                pass
            else:
                raise AssertionError("the answer came too soon for this test")
            eventually(
                lambda: first.metric("signals_gateway_unreleased_total") == 1, within=20, what="it is taken"
            )
            wire.delay = 0.0
            wait_as_tradingview()
            (known,) = gateways.start().receipts({**BUY, "log": "left"})
            assert known["status"] == "duplicate"
            # the replica itself would have known it at once
            assert first.receipts({**BUY, "log": "left"})[0]["id"] == known["first_id"]
        finally:
            gateways.stop()


def test_redis_away_is_told_within_the_patience_of_tradingview(tmp_path: Path, prefix: str) -> None:
    gateways = Gateways("redis://127.0.0.1:1/0", prefix, tmp_path)
    gateway = gateways.start()
    headers = gateways.add_key("all", connectors=["*"])
    try:
        assert requests.get(f"{gateway.url}/readyz", timeout=10).status_code == 503
        assert requests.get(f"{gateway.url}/livez", timeout=10).status_code == 200
        assert deliver(gateway, BUY) == 503
        # nothing can have been taken, and it says so
        gateways.stop()
        gateway = gateways.start()
        answer = requests.post(gateway.v1, json=NAMED, headers=headers, timeout=10)
        assert answer.status_code == 503
        assert "nothing was taken" in answer.json()["detail"]
    finally:
        gateways.stop()


def test_what_is_not_known_is_a_504_and_safe_to_repeat(server: Server, prefix: str, tmp_path: Path) -> None:
    with Wire(server.port) as wire:
        gateways = Gateways(f"redis://127.0.0.1:{wire.port}/0", prefix, tmp_path)
        headers = gateways.add_key("all", connectors=["*"])
        keyed = {**headers, "Idempotency-Key": "mine"}
        gateway = gateways.start()
        try:
            assert gateway.post(CANCEL).status_code == 200  # the connection is open, the script known
            wire.loses = 1.0
            answer = requests.post(gateway.v1, json=NAMED, headers=headers, timeout=10)
            assert answer.status_code == 504
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert "Idempotency-Key" in answer.json()["detail"]
            # of a request with a key it is the claim that fails, before anything is taken
            assert requests.post(gateway.v1, json=BUY, headers=keyed, timeout=10).status_code == 503
            wire.loses = 0.0
            again = requests.post(gateway.v1, json=NAMED, headers=headers, timeout=10)
            assert again.json()["receipts"][0]["status"] == "duplicate"
            again = requests.post(gateway.v1, json=BUY, headers=keyed, timeout=10)
            assert again.json()["receipts"][0]["status"] == "accepted"
        finally:
            gateways.stop()
