"""The application by itself: what it answers when our own code fails, and what it does not show."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import enable_created_metrics, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from producers.gateway import serve
from producers.gateway.app import Gateway
from producers.gateway.desk import Desk
from producers.gateway.gauges import CATALOGUE, Gauges
from producers.gateway.health import Readiness
from producers.gateway.keys import hash_of
from producers.gateway.v1 import V1
from worker.errors import QueueUnavailable, SettingsError
from worker.settings import load_settings

KEY = "sgk_a-key-for-these-tests"


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "all", "hash": hash_of(KEY), "connectors": ["*"]}]}))
    return Gateway(load_settings(gateway_open=True, api_keys_file=str(keys), gateway_docs=False))


def ask(gateway: Gateway, method: str, path: str, body: bytes = b"{}") -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "state": {},
        "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
        "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(gateway.app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/signals/abc"), ("GET", "/v1/lanes/a"), ("POST", "/v1/signals")]
)
def test_our_own_mistakes_are_problems_too(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret of the request")

    for where, name in ((Desk, "signal"), (Desk, "lane"), (V1, "_wishes")):
        monkeypatch.setattr(where, name, fail)
    with caplog.at_level(logging.INFO):
        status, headers, body = ask(gateway, method, path)
    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert json.loads(body)["status"] == 500
    assert "request failed" in caplog.messages
    assert "secret of the request" not in f"{caplog.text}{body!r}"


def test_what_is_refused_is_told_with_its_reason(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert ask(gateway, "POST", "/v1/signals", b'[{"connectorName": "a"}]')[0] == 422
    (line,) = [one for one in caplog.records if one.getMessage() == "request refused"]
    assert vars(line)["route"] == "send"
    assert "`action` is required" in vars(line)["error"]


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/files/swagger-ui.css", "/metrics"])
def test_without_docs_there_is_nothing_of_them(gateway: Gateway, path: str) -> None:
    status, headers, _ = ask(gateway, "GET", path)
    assert (status, headers["content-type"]) == (404, "application/problem+json")


def test_the_two_doors_tell_of_the_same_process(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "/livez")[0] == 200
    assert gateway.live() == (False, "it is starting, or has ended")


def test_its_metrics_are_those_that_are_documented(gateway: Gateway) -> None:
    ask(gateway, "GET", "/livez")
    page = generate_latest(gateway.gauges.registry).decode()
    found = {
        (family.name, family.type, family.documentation) for family in text_string_to_metric_families(page)
    }
    assert found == {(spec.name.removesuffix("_total"), spec.kind, spec.help) for spec in CATALOGUE}


def test_no_series_tells_when_another_was_made() -> None:
    enable_created_metrics()  # type: ignore[no-untyped-call]  # as it is until a worker's modules say otherwise
    gauges = Gauges()
    gauges.answered("send", 202, 0.01)
    page = generate_latest(gauges.registry).decode()
    assert 'signals_gateway_requests_total{route="send",status="2xx"} 1.0' in page
    assert "_created" not in page


def test_why_it_is_not_ready_stands_in_the_log_and_not_in_the_answer(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise QueueUnavailable("Redis: nobody listens there")

    monkeypatch.setattr(gateway, "_ready", Readiness(away, within=1.0))
    with caplog.at_level(logging.INFO, "signals.gateway"):
        status, _, body = ask(gateway, "GET", "/readyz")
    assert (status, body) == (503, b"not now\n")
    (line,) = (vars(one) for one in caplog.records if one.getMessage() == "request refused")
    assert (line["route"], line["error"]) == ("readyz", "Redis: nobody listens there")


def test_a_busy_port_is_blamed_on_whatever_named_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"^SIGNALS_GATEWAY_PORT or --port: .*127.0.0.1:{port} "):
            serve._listen("127.0.0.1", port)
