"""An Idempotency-Key names a request: repeated as it was it is known, otherwise it is refused whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import requests
from redis import Redis

from demo.stack import Server
from tests.gateway.conftest import ALPHA, BETA, Gateway, Gateways

A = {"connectorName": "alpha", "action": "buy", "percent": "10", "delaySeconds": 600}
B = {**A, "connectorName": "beta"}
C = {**A, "connectorName": "gamma"}

Send = Callable[..., requests.Response]


@pytest.fixture
def send(gateways: Gateways) -> Send:
    headers = gateways.add_key("all", connectors=["*"])
    gateway = gateways.start()

    def post(body: object, *, key: str = "mine", query: str = "") -> requests.Response:
        data = body if isinstance(body, str) else json.dumps(body)
        return requests.post(
            f"{gateway.v1}{query}", data=data, headers={**headers, "Idempotency-Key": key}, timeout=10
        )

    post.gateway, post.headers = gateway, headers  # type: ignore[attr-defined]
    return post


def kept(gateway: Gateway, headers: Mapping[str, str]) -> int:
    """Signals of the three connectors that the queue holds."""
    lanes = [
        requests.get(f"{gateway.url}/v1/lanes/{one}", headers=headers, timeout=10).json()
        for one in ("alpha", "beta", "gamma")
    ]
    return sum(lane.get("waiting", 0) + lane.get("delayed", 0) for lane in lanes)


def statuses(answer: requests.Response) -> list[str]:
    return [receipt["status"] for receipt in answer.json()["receipts"]]


def test_the_same_request_gets_the_first_receipts(send: Any) -> None:
    first = send([A, B]).json()["receipts"]
    again = send([A, B])
    assert again.status_code == 200
    assert statuses(again) == ["duplicate"] * 2
    assert [one["first_id"] for one in again.json()["receipts"]] == [one["id"] for one in first]
    assert kept(send.gateway, send.headers) == 2


@pytest.mark.parametrize(
    "other",
    [[B, A], [A], [A, B, C], [A, C], [A, {**B, "percent": "20"}], [C, A, B], A],
    ids=["order", "fewer", "more", "connector", "content", "shifted", "single"],
)
def test_any_other_request_is_refused_whole(send: Any, other: Sequence[Mapping[str, object]]) -> None:
    assert send([A, B]).status_code == 200
    answer = send(other)
    assert answer.status_code == 409
    assert "different request" in answer.json()["detail"]
    assert kept(send.gateway, send.headers) == 2
    assert send(other, key="another").status_code == 200


def test_so_is_a_single_signal_for_another_connector(send: Any) -> None:
    assert send(A).status_code == 200
    assert send(B).status_code == 409


def test_other_terms_make_another_request(send: Any) -> None:
    assert send(A, query="?max_age=60").status_code == 200
    assert send(A, query="?max_age=3600").status_code == 409


def test_a_misspelt_term_is_told(send: Any) -> None:
    answer = send(A, query="?maxage=5")
    assert answer.status_code == 422
    assert "max_age" in answer.json()["detail"]
    assert kept(send.gateway, send.headers) == 0


def test_a_request_is_known_as_long_as_any_of_its_signals(
    gateways: Gateways, client: Redis, prefix: str
) -> None:
    headers = {**gateways.add_key("all", connectors=["*"]), "Idempotency-Key": "mine"}
    gateways.accounts.write_text(
        json.dumps(
            {
                "accounts": [
                    {"name": "alpha", "token": ALPHA, "dedup_window": 7200},
                    {"name": "beta", "token": BETA, "dedup_window": 60},
                ]
            }
        )
    )
    gateway = gateways.start(dedup_window=600)
    assert requests.post(gateway.v1, json=[A, B], headers=headers, timeout=10).status_code == 200
    (claim,) = client.scan_iter(f"{prefix}claim:request:*")
    assert client.pttl(claim) > 7_200_000


def test_a_known_order_id_hides_no_conflict_of_the_key(send: Any) -> None:
    one, two = {**A, "clientOrderId": "o1"}, {**A, "clientOrderId": "o2"}
    assert send(one).status_code == 200
    assert send(two, key="another").status_code == 200
    assert send(two).status_code == 409  # although o2 by itself would be a duplicate
    assert kept(send.gateway, send.headers) == 2


def test_what_does_not_trade_makes_no_difference(send: Any) -> None:
    assert send([A, B]).status_code == 200
    spelt = [{**dict(reversed(A.items())), "log": "second try"}, {**B, "connectorToken": "of-nobody"}]
    assert statuses(send("\n".join(map(json.dumps, spelt))))[0] == "duplicate"


def test_the_keys_of_senders_are_their_own(gateways: Gateways, send: Any) -> None:
    assert send([A]).status_code == 200
    headers = {**gateways.add_key("beta", connectors=["beta"]), "Idempotency-Key": "mine"}
    other = gateways.start()
    assert requests.post(other.v1, json=[B], headers=headers, timeout=10).status_code == 200


def test_nonsense_does_not_spend_a_key(send: Any) -> None:
    assert send([{**A, "percnt": "10"}]).status_code == 422
    assert send([A]).status_code == 200


def test_what_is_nested_too_deeply_is_no_mistake_of_ours(send: Any) -> None:
    for depth in (200, 500, 900, 990):
        deep = "[" * depth + "]" * depth
        assert send(f'{{"connectorName": "alpha", "action": {deep}}}', key=str(depth)).status_code == 422


def test_on_the_webhook(gateway: Gateway) -> None:
    one = {**A, "connectorToken": ALPHA, "clientOrderId": "o1"}
    two = {**one, "clientOrderId": "o2"}
    assert gateway.post(two).status_code == 200
    assert gateway.receipts(one, **{"Idempotency-Key": "mine"})[0]["status"] == "accepted"
    assert gateway.receipts(one, **{"Idempotency-Key": "mine"})[0]["status"] == "duplicate"
    assert gateway.post(two, headers={"Idempotency-Key": "mine"}).status_code == 409


def test_a_request_that_was_cut_in_half_is_completed_and_nothing_else(
    gateways: Gateways, server: Server, client: Any, prefix: str
) -> None:
    names = [f"member {number}" for number in range(700)]
    members = [{"name": name, "token": ALPHA, "groups": ["all"]} for name in names]
    gateways.accounts.write_text(json.dumps({"accounts": members}))
    key = gateways.add_key("all", connectors=["*"])
    headers = {**key, "Idempotency-Key": "mine"}
    signal = {"group": "all", "action": "closeLong", "percent": "50"}
    doomed, other = gateways.start(crash_point="admitted"), gateways.start()
    with pytest.raises(requests.ConnectionError):
        requests.post(doomed.v1, json=signal, headers=headers, timeout=10)
    assert int(client.hget(f"{prefix}totals", "admitted")) == 500
    changed = requests.post(other.v1, json={**signal, "percent": "60"}, headers=headers, timeout=10)
    assert changed.status_code == 409
    again = requests.post(other.v1, json=signal, headers=headers, timeout=30)
    assert statuses(again) == ["duplicate"] * 500 + ["accepted"] * 200
    assert int(client.hget(f"{prefix}totals", "admitted")) == 700
