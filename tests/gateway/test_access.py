"""Who may do what: every route with missing, wrong, others', expired and right credentials."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests

from demo.stack import eventually
from producers.gateway.auth import signature
from tests.gateway.conftest import ALPHA, BETA, DESK, Gateway, Gateways

SIGNAL = {"connectorName": "alpha", "action": "buy", "percent": "10", "delaySeconds": 600}
HMAC = "a-secret-of-the-sender"


@pytest.fixture
def keys(gateways: Gateways) -> dict[str, dict[str, str]]:
    """Headers by what is wrong with them."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    return {
        "missing": {},
        "wrong": {"Authorization": "Bearer sgk_no-such-key"},
        "other scheme": {"Authorization": "Basic c2drX25v"},
        "expired": gateways.add_key("expired", connectors=["*"], expires=past.isoformat()),
        "others": gateways.add_key("others", connectors=["gamma"]),
        "right": gateways.add_key("right", connectors=["alpha"]),
        "group": gateways.add_key("group", groups=["desk"]),
        "all": gateways.add_key("all", connectors=["*"]),
    }


EXPECTED = {
    "missing": 401, "wrong": 401, "other scheme": 401, "expired": 401,
    "right": 200, "group": 200, "all": 200,
}  # fmt: skip
"""``others`` is told 403 where it sends, and 404 where it looks."""


@pytest.mark.parametrize("who", [*EXPECTED, "others"])
def test_every_v1_route(gateways: Gateways, keys: dict[str, dict[str, str]], who: str) -> None:
    gateway = gateways.start()
    first = requests.post(
        gateway.v1, json={**SIGNAL, "clientOrderId": "o1"}, headers=keys["all"], timeout=10
    ).json()
    name = first["receipts"][0]["id"]
    headers = keys[who]

    def status(method: str, path: str, **named: object) -> int:
        url = f"{gateway.url}/v1{path}"
        return requests.request(method, url, headers=headers, timeout=10, **named).status_code  # type: ignore[arg-type]

    expected = EXPECTED.get(who)
    assert status("POST", "/signals", json=SIGNAL) == (expected or 403)
    assert status("GET", f"/signals/{name}") == (expected or 404)
    assert status("GET", "/signals?connector=alpha&clientOrderId=o1") == (expected or 404)
    assert status("GET", "/lanes/alpha") == (expected or 404)
    assert status("GET", "/lanes/nobody") == (401 if expected == 401 else 404)
    assert status("DELETE", f"/signals/{name}") == (expected or 404)


def test_what_is_not_yours_looks_as_if_it_were_not_there(
    gateways: Gateways, keys: dict[str, dict[str, str]]
) -> None:
    gateway = gateways.start()
    sent = requests.post(gateway.v1, json=SIGNAL, headers=keys["all"], timeout=10).json()
    name = sent["receipts"][0]["id"]
    answers = [
        requests.request(method, f"{gateway.v1}/{one}", headers=keys["others"], timeout=10)
        for method in ("GET", "DELETE")
        for one in (name, "0" * 32)
    ]
    assert {(one.status_code, one.text) for one in answers} == {(404, answers[0].text)}
    lanes = [
        requests.get(f"{gateway.url}/v1/lanes/{one}", headers=keys["others"], timeout=10)
        for one in ("alpha", "nobody")
    ]
    assert lanes[0].text == lanes[1].text
    state = requests.get(f"{gateway.v1}/{name}", headers=keys["right"], timeout=10).json()
    assert state["state"] == "delayed"


@pytest.mark.parametrize("file", [True, False], ids=["accounts", "no accounts"])
def test_a_lane_without_work_is_empty(
    gateways: Gateways, keys: dict[str, dict[str, str]], file: bool
) -> None:
    more: dict[str, object] = {} if file else {"accounts_file": None}
    gateway = gateways.start(**more)

    def lane(name: str, who: str) -> requests.Response:
        return requests.get(f"{gateway.url}/v1/lanes/{name}", headers=keys[who], timeout=10)

    for who in ("right", "all"):
        answer = lane("alpha", who)
        assert answer.status_code == 200
        assert answer.json() == {"connector": "alpha", "waiting": 0, "delayed": 0, "state": "idle"}
    assert lane("nobody", "all").status_code == (404 if file else 200)
    assert lane("x" * 129, "all").status_code == 404
    assert lane("beta", "group").status_code == (200 if file else 404)
    assert lane("alpha", "others").status_code == 404


def test_groups_of_a_key(gateways: Gateways, keys: dict[str, dict[str, str]]) -> None:
    gateway = gateways.start()
    signal = {"group": "desk", "action": "closeLong"}

    def send(who: str, **fields: str) -> requests.Response:
        return requests.post(gateway.v1, json={**signal, **fields}, headers=keys[who], timeout=10)

    answer = send("group")
    assert [one["connector"] for one in answer.json()["receipts"]] == ["alpha", "beta"]
    assert send("right").status_code == 403  # alpha is a member, but the key is not the group's
    assert send("all").status_code == 200
    assert send("all", group="nobody").status_code == 422
    one_of_many = [{**SIGNAL}, {**SIGNAL, "connectorName": "gamma"}]
    refused = requests.post(gateway.v1, json=one_of_many, headers=keys["group"], timeout=10)
    assert refused.status_code == 403
    lane = requests.get(f"{gateway.url}/v1/lanes/alpha", headers=keys["all"], timeout=10).json()
    assert (lane["waiting"], lane["delayed"]) == (2, 0)  # nothing of the batch was taken


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"connectorName": "alpha"}, 401),
        ({"connectorToken": ALPHA}, 401),
        ({"connectorName": "alpha", "connectorToken": BETA}, 403),
        ({"connectorName": "alpha", "connectorToken": ""}, 403),
        ({"connectorName": "alpha", "connectorToken": DESK}, 403),
        ({"connectorName": "nobody", "connectorToken": ALPHA}, 403),
        ({"connectorName": ["alpha"], "connectorToken": [ALPHA]}, 403),
        ({"connectorName": "alpha", "connectorToken": "\ud800"}, 403),
        ({"group": "desk", "connectorToken": ALPHA}, 403),
        ({"group": "nobody", "connectorToken": DESK}, 403),
        ({"group": "desk"}, 401),
        ({"connectorName": "alpha", "connectorToken": ALPHA}, 200),
        ({"group": "desk", "connectorToken": DESK}, 200),
    ],
)
def test_the_webhook_goes_by_tokens(gateway: Gateway, fields: dict[str, object], status: int) -> None:
    answer = gateway.post({"action": "closeLong", **fields})
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.text == "there is no such connector or group, or that is not its token\n"


def test_without_a_file_of_keys_nobody_may_use_v1(gateways: Gateways) -> None:
    headers = gateways.add_key("all", connectors=["*"])
    gateway = gateways.start(api_keys_file=None)
    assert requests.get(f"{gateway.url}/v1/lanes/alpha", headers=headers, timeout=10).status_code == 401


def test_with_keys_only_there_is_no_webhook(gateways: Gateways) -> None:
    gateway = gateways.start(accounts_file=None)
    assert gateway.post({**SIGNAL, "connectorToken": ALPHA}).status_code == 404
    assert "webhook" not in requests.get(f"{gateway.url}/openapi.json", timeout=10).text


class TestRotation:
    def test_keys_come_and_go_without_a_restart(
        self, gateways: Gateways, keys: dict[str, dict[str, str]]
    ) -> None:
        gateway = gateways.start()
        assert self.status(gateway, keys["all"]) == 404
        fresh = gateways.add_key("fresh", connectors=["*"])
        eventually(lambda: self.status(gateway, fresh) == 404, within=10, what="the new key is known")
        entries = json.loads(gateways.keys.read_text())["keys"]
        gateways.write_keys([one for one in entries if one["name"] != "all"])
        eventually(lambda: self.status(gateway, keys["all"]) == 401, within=10, what="the old is not")
        assert self.status(gateway, fresh) == 404

    def test_a_broken_file_changes_nothing_but_is_told_of(
        self, gateways: Gateways, keys: dict[str, dict[str, str]]
    ) -> None:
        gateway = gateways.start()
        gateways.keys.write_text('{"keys": [{"name": "all"')

        def refused() -> bool:
            assert self.status(gateway, keys["all"]) == 404
            return gateway.metric('signals_config_failing{file="api_keys_file"}') == 1

        eventually(refused, within=10, what="the broken file is noticed")
        assert "file refused" in gateway.process.output()
        gateways.write_keys([])
        eventually(lambda: self.status(gateway, keys["all"]) == 401, within=10, what="it is mended")

    def status(self, gateway: Gateway, headers: dict[str, str]) -> int:
        return requests.get(f"{gateway.v1}/nothing", headers=headers, timeout=10).status_code


def signed(
    at: str, body: bytes, *, secret: str = HMAC, target: bytes = b"POST /v1/signals", name: str = ""
) -> str:
    return signature(secret, at, target, name, body)


class TestSignatures:
    BODY = json.dumps(SIGNAL).encode()

    @pytest.fixture
    def send(self, gateways: Gateways) -> Callable[[str | None], int]:
        secret = gateways.folder / "hmac"
        secret.write_text(HMAC)
        headers = gateways.add_key("signer", connectors=["alpha"], hmac_secret_file="hmac")
        gateway = gateways.start()

        def post(signed: str | None) -> int:
            more = {} if signed is None else {"X-Signature": signed}
            return requests.post(
                gateway.v1, data=self.BODY, headers={**headers, **more}, timeout=10
            ).status_code

        return post

    def test_requests_must_be_signed(self, send: Callable[[str | None], int]) -> None:
        now = str(int(time.time()))
        right = signed(now, self.BODY)
        assert send(f"t={now},v1={right}") == 200
        for wrong in (
            None,
            "",
            f"t={now}",
            f"t={now},v1={right[:-1]}",
            f"t={now},v1={'0' * 64}",
            f"t={int(now) + 1},v1={right}",
            f"t={now},v1={signed(now, self.BODY + b' ')}",
            f"t={now},v1={signed(now, self.BODY, target=b'GET /v1/signals')}",
            f"t={now},v1={signed(now, self.BODY, target=b'POST /v1/signals?max_age=600')}",
            f"t={now},v1={signed(now, self.BODY, name='another-key')}",
            f"t={now},v1={signed(now, self.BODY, secret='other-secret-of-nobody')}",
        ):
            assert send(wrong) == 401, wrong
        for at in (int(now) - 600, int(now) + 600):
            assert send(f"t={at},v1={signed(str(at), self.BODY)}") == 401


class TestSources:
    SIGNAL = json.dumps({**SIGNAL, "connectorToken": ALPHA})

    def status(self, gateway: Gateway, **headers: str) -> int:
        return requests.post(gateway.webhook, data=self.SIGNAL, headers=headers, timeout=10).status_code

    def test_only_from_where_it_is_allowed(self, gateways: Gateways) -> None:
        gateway = gateways.start(gateway_sources="tradingview")
        assert self.status(gateway) == 403
        # who is no proxy of ours is not believed
        assert self.status(gateway, **{"X-Forwarded-For": "52.89.214.238"}) == 403
        local = gateways.start(gateway_sources="tradingview, 127.0.0.0/8")
        assert self.status(local) == 200

    def test_behind_a_proxy(self, gateways: Gateways) -> None:
        gateway = gateways.start(gateway_sources="tradingview", gateway_proxies="127.0.0.1, 10.0.0.0/8")
        assert self.status(gateway) == 403  # the proxy itself is no source
        for told, status in {
            "52.89.214.238": 200,
            "52.89.214.238, 10.1.2.3": 200,  # a proxy before the proxy
            "52.89.214.238, 6.6.6.6": 403,  # what the sender wrote itself stands on the left
            "52.89.214.238, 6.6.6.6, 10.1.2.3": 403,
            "6.6.6.6": 403,
            "nonsense": 403,
            "": 403,
        }.items():
            assert self.status(gateway, **{"X-Forwarded-For": told}) == status, told

    def test_ipv4_that_comes_to_an_ipv6_socket(self, gateways: Gateways) -> None:
        gateway = gateways.start(gateway_host="::", gateway_sources="10.0.0.0/8")
        assert self.status(gateway) == 403
        gateway = gateways.start(gateway_host="::", gateway_sources="127.0.0.0/8")
        assert self.status(gateway) == 200
        gateway = gateways.start(gateway_host="::", gateway_sources="::ffff:127.0.0.0/104")
        assert self.status(gateway) == 200
        gateway = gateways.start(
            gateway_host="::", gateway_sources="tradingview", gateway_proxies="127.0.0.1, 10.0.0.0/8"
        )
        for told, status in {
            "52.89.214.238": 200,
            "::ffff:52.89.214.238": 200,
            "52.89.214.238, ::ffff:10.1.2.3": 200,
            "52.89.214.238, ::ffff:6.6.6.6": 403,
        }.items():
            assert self.status(gateway, **{"X-Forwarded-For": told}) == status, told


class TestRates:
    def test_of_a_connector_on_the_webhook(self, gateways: Gateways) -> None:
        gateway = gateways.start(gateway_connector_rate=0.01)
        alpha = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "closeLong"}
        beta = {"connectorName": "beta", "connectorToken": BETA, "action": "closeLong"}
        statuses = [gateway.post(one).status_code for one in (alpha, alpha, beta, alpha)]
        assert statuses == [200, 429, 200, 429]

    def test_of_a_key(self, gateways: Gateways) -> None:
        headers = gateways.add_key("slow", connectors=["*"], rate=0.01)
        gateway = gateways.start()
        answers = [requests.post(gateway.v1, json=SIGNAL, headers=headers, timeout=10) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 429]
        assert 1 < int(answers[1].headers["Retry-After"]) <= 100

    def test_each_member_of_a_group_counts(self, gateways: Gateways) -> None:
        headers = gateways.add_key("slow", groups=["desk"], rate=0.01)
        gateway = gateways.start()
        desk = {"group": "desk", "action": "cancelAll"}
        answers = [requests.post(gateway.v1, json=desk, headers=headers, timeout=10) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 429]
        assert 100 < int(answers[1].headers["Retry-After"]) <= 200


def test_nothing_secret_in_logs_and_metrics(gateways: Gateways, keys: dict[str, dict[str, str]]) -> None:
    gateway = gateways.start(log_level="debug")
    signal = {**SIGNAL, "connectorToken": ALPHA}
    for headers in keys.values():
        requests.post(gateway.v1, json=signal, headers=headers, timeout=10)
    for odd in ({}, {"connectorToken": BETA}, {ALPHA: ALPHA}, {"fixed": ALPHA}):
        body = {**signal, **odd}
        assert ALPHA not in gateway.post(body).text
    requests.post(f"{gateway.webhook}?token={ALPHA}", json=signal, timeout=10)
    requests.post(f"{gateway.url}/{ALPHA}", json=signal, timeout=10)
    requests.get(f"{gateway.v1}?connector={ALPHA}&clientOrderId={ALPHA}", headers=keys["all"], timeout=10)
    metrics = requests.get(f"{gateway.metrics}/metrics", timeout=10).text
    gateway.process.stop()
    secrets = [ALPHA, BETA, DESK, *(one["Authorization"].partition(" ")[2] for one in keys.values() if one)]
    for text in (gateways.logs(), metrics):
        assert text
        assert [secret for secret in secrets if secret in text] == []
    assert "alpha" not in metrics
