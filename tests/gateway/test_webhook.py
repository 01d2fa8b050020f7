"""The webhook takes what the endpoint takes, in every dress, and says ok."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import pytest
import redis
import requests

from tests.conftest import Workers
from tests.gateway.conftest import ALPHA, BETA, DESK, Gateway, Gateways
from worker.paper import PaperServer

SAMPLE = """
import requests

# the page's comments are left out
URL = 'https://crypto-arsenal.io/trading-signal/webhook'
PAYLOAD ={"log":"Buy","action":"buy","percent":"100","connectorName":"YOUR_CONNECTOR","connectorToken":"YOUR_TOKEN"}

response = requests.post(URL, json=PAYLOAD)
print(response.text) # ok
"""  # noqa: E501 - as the page has it
ORDER = (
    f'{{"connectorName":"alpha","connectorToken":"{ALPHA}","action":"openLong","percent":"90",'
    '"log":"Long entry → ✓","clientOrderId":"Long 1","delaySeconds":0}'
)
SYNC = (
    f'{{"connectorName":"alpha","connectorToken":"{ALPHA}","log":"sync",'
    '"entryOrder":{"value":100,"mode":"compoundAvailableBalancePercent","size":1.50,"price":27000.5},'
    '"position":{"side":"long","size":1.5,"prev_side":"flat","prev_size":0}}'
)
BUY = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "buy", "percent": "10"}
CONTENT_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "text/plain; charset=utf-8",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    None,
)


def send(gateway: Gateway, body: str | bytes, content_type: str | None, **headers: str) -> requests.Response:
    given = {} if content_type is None else {"Content-Type": content_type}
    data = body.encode() if isinstance(body, str) else body
    return requests.post(gateway.webhook, data=data, headers={**given, **headers}, timeout=10)


def test_the_sample_of_the_page(gateways: Gateways, workers: Workers, paper: PaperServer) -> None:
    gateway = gateways.start(accounts_file=None, gateway_open=True)
    script = SAMPLE.replace("https://crypto-arsenal.io", gateway.url)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "ok\n"
    workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    (arrived,) = paper.wait_for_receipts(1, timeout=20)
    assert arrived.body == json.loads(re.findall(r"PAYLOAD =(.*)", SAMPLE)[0])


@pytest.mark.parametrize("body", [ORDER, SYNC], ids=["order", "sync"])
def test_the_same_order_arrives_whatever_the_content_type(
    body: str, gateways: Gateways, gateway: Gateway, workers: Workers, paper: PaperServer
) -> None:
    for number, content_type in enumerate(CONTENT_TYPES):
        own = body.replace("Long 1", f"Long {number}")
        answer = send(gateway, own, content_type)
        assert (answer.status_code, answer.text) == (200, "ok"), content_type
        assert answer.headers["Content-Type"].startswith("text/plain")
    workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    arrived = paper.wait_for_receipts(len(CONTENT_TYPES), timeout=20)
    expected = json.loads(body, parse_float=Decimal)
    expected.pop("delaySeconds", None)
    for number, one in enumerate(arrived):
        wanted = {**expected, **({"clientOrderId": f"Long {number}"} if "clientOrderId" in expected else {})}
        assert one.body == wanted
    assert len(arrived) == len(CONTENT_TYPES)


def test_form_fields(gateways: Gateways, gateway: Gateway, workers: Workers, paper: PaperServer) -> None:
    fields = {
        "connectorName": "alpha",
        "connectorToken": ALPHA,
        "action": "openLong",
        "fixed": "0.10",
        "log": "ä & b",
    }
    assert send(gateway, urlencode(fields), "application/x-www-form-urlencoded").text == "ok"
    assert send(gateway, urlencode({**fields, "fixed": "0.20"}), "text/plain").text == "ok"
    workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    first, second = paper.wait_for_receipts(2, timeout=20)
    assert (first.body["fixed"], second.body["fixed"]) == ("0.10", "0.20")
    assert first.body["log"] == "ä & b"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("", "the body is empty: it must be a signal as JSON"),
        ("{", "the body is not valid JSON"),
        (b"\xff\xfe", "not valid JSON|not UTF-8"),
        (b'{"log": "\xff"}', "not UTF-8"),
        (b"a=%ff", "neither JSON nor form fields"),
        ("[" + ORDER + "]", "takes one signal"),
        (ORDER + "\n" + ORDER, "takes one signal"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
        (ORDER.replace("percent", "perecnt"), "did you mean `percent`"),
        (ORDER.replace('"90"', '"{{strategy.order.contracts}}"'), "percent"),
        (ORDER.replace('"percent":"90"', '"percent":"90","percent":"1"'), "stands twice"),
        (ORDER.replace("openLong", "openlong"), "action"),
        ("connectorName=alpha&connectorName=beta&connectorToken=x", "403|token|twice"),
    ],
)
def test_a_bad_signal_is_a_4xx_with_one_line(gateway: Gateway, body: str | bytes, line: str) -> None:
    answer = send(gateway, body, "text/plain")
    assert 400 <= answer.status_code < 500  # TradingView does not send it again
    assert answer.text.count("\n") == 1
    assert ALPHA not in answer.text
    assert re.search(line, f"{answer.status_code} {answer.text}"), answer.text


def test_json_for_who_asks(gateway: Gateway) -> None:
    order = json.loads(ORDER)
    (receipt,) = gateway.receipts(order)
    assert receipt["status"] == "accepted"
    (again,) = gateway.receipts(order)
    assert (again["status"], again["first_id"]) == ("duplicate", receipt["id"])
    conflict = gateway.post({**order, "percent": "10"}, headers={"Accept": "application/json"})
    assert conflict.status_code == 409
    assert conflict.headers["Content-Type"] == "application/problem+json"
    assert conflict.json()["receipts"][0]["first_id"] == receipt["id"]
    assert gateway.post({**order, "percent": "10"}).status_code == 409


def test_a_lane_that_is_full(gateways: Gateways) -> None:
    gateway = gateways.start(lane_limit=1)
    signal = {**json.loads(ORDER), "clientOrderId": "1"}
    assert gateway.post(signal).status_code == 200
    answer = gateway.post({**signal, "clientOrderId": "2"})
    assert answer.status_code == 503, "TradingView sends it again"
    assert "SIGNALS_LANE_LIMIT" in answer.text


def test_alerts_of_a_moment_may_be_alike(gateway: Gateway, client: redis.Redis, prefix: str) -> None:
    signal = {**json.loads(ORDER), "clientOrderId": None}
    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(lambda _: gateway.post(signal).status_code, range(20))) == {200}
    assert client.hget(f"{prefix}totals", "admitted") == b"20"


class TestSameText:
    """Orders without an id are known by their text until the sender was told ok."""

    def test_answered_texts_may_come_again_at_once(
        self, gateways: Gateways, gateway: Gateway, workers: Workers, paper: PaperServer
    ) -> None:
        statuses = [gateway.receipts(BUY)[0]["status"] for _ in range(20)]
        assert statuses == ["accepted"] * 20
        workers.start(paper.webhook_url, accounts_file=gateways.accounts)
        assert len(paper.wait_for_receipts(20, timeout=20)) == 20

    def test_an_id_is_known_for_its_window(self, gateways: Gateways) -> None:
        gateway = gateways.start(gateway_dedup_window=3600)
        order = {**BUY, "clientOrderId": "Long"}
        assert [gateway.receipts(order)[0]["status"] for _ in range(3)] == [
            "accepted", "duplicate", "duplicate",
        ]  # fmt: skip

    def test_a_key_of_the_sender_is_kept(self, gateway: Gateway) -> None:
        statuses = [gateway.receipts(BUY, **{"Idempotency-Key": "mine"})[0]["status"] for _ in range(2)]
        assert statuses == ["accepted", "duplicate"]

    def test_cancels_are_never_duplicates(self, gateway: Gateway) -> None:
        cancel = {"connectorName": "alpha", "connectorToken": ALPHA, "action": "cancelAll"}
        assert [gateway.receipts(cancel)[0]["status"] for _ in range(3)] == ["accepted"] * 3


def test_a_group_by_its_own_token(
    gateways: Gateways, gateway: Gateway, workers: Workers, paper: PaperServer
) -> None:
    signal = {"group": "desk", "connectorToken": DESK, "action": "buy", "percent": "10"}
    receipts = gateway.receipts(signal)
    assert [(one["connector"], one["status"], one["index"]) for one in receipts] == [
        ("alpha", "accepted", 0), ("beta", "accepted", 0),
    ]  # fmt: skip
    assert gateway.post(signal).text == "ok"
    workers.start(paper.webhook_url, accounts_file=gateways.accounts)
    arrived = paper.wait_for_receipts(4, timeout=20)
    tokens = {(one.connector, one.body["connectorToken"]) for one in arrived}
    assert tokens == {("alpha", ALPHA), ("beta", BETA)}


def test_start_is_refused_as_long_as_anybody_could_send(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from producers.cli import main; main()", "gateway"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "SIGNALS_GATEWAY_PATH_SECRET" in done.stderr


def test_a_path_known_to_its_senders_only(gateways: Gateways) -> None:
    secret = "s3cret-part-of-the-path"
    gateway = gateways.start(accounts_file=None, gateway_path_secret=secret)
    signal = {**BUY, "connectorName": "anybody", "connectorToken": "of-somebody"}
    right = requests.post(f"{gateway.webhook}/{secret}", json=signal, timeout=10)
    assert (right.status_code, right.text) == (200, "ok")
    for path in ("", "/", f"/{secret}x", f"/{secret[:-1]}", "/%ff", f"/{secret}/"):
        assert requests.post(f"{gateway.webhook}{path}", json=signal, timeout=10).status_code == 404, path
    gateway.process.stop()
    assert secret not in gateways.logs()
