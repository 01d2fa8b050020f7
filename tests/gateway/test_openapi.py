"""The OpenAPI document and the gateway agree, and every error is a problem of RFC 9457."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest
import requests

from tests.gateway.conftest import Gateway, Gateways

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.parametrize("accounts", [False, True], ids=["open", "accounts"])
def test_schemathesis_finds_nothing(gateways: Gateways, accounts: bool) -> None:
    headers = gateways.add_key("all", connectors=["*"])
    more: dict[str, object] = {} if accounts else {"accounts_file": None, "gateway_open": True}
    gateway = gateways.start(gateway_connector_rate=0, lane_limit=0, **more)
    program = Path(sysconfig.get_path("scripts")) / "schemathesis"
    done = subprocess.run(
        [
            str(program),
            f"--config-file={CONFIG}",
            "run",
            f"{gateway.url}/openapi.json",
            f"--header=Authorization: {headers['Authorization']}",
            "--max-examples=30",
            "--generation-database=:memory:",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=gateways.folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: 6" in done.stdout  # none was passed over
    assert "request failed" not in gateways.logs()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/signals/", 404),
        ("GET", "/trading-signal/webhook", 405),
        ("PUT", "/v1/signals", 405),
        ("PATCH", "/v1/signals/abc", 405),
        ("GET", "/v1/signals", 422),
        ("GET", "/v1/signals?connector=&clientOrderId=x", 422),
        ("GET", "/v1/signals/abc", 404),
        ("POST", "/v1/signals?max_age=x", 422),
        ("POST", "/v1/signals?max_age=0", 422),
        ("POST", "/v1/signals?dedup_window=nan", 422),
        ("POST", "/v1/signals", 422),
    ],
)
def test_errors_are_problems(gateways: Gateways, method: str, path: str, status: int) -> None:
    headers = {**gateways.add_key("all", connectors=["*"]), "Accept": "application/json"}
    gateway = gateways.start()
    answer = requests.request(method, f"{gateway.url}{path}", headers=headers, timeout=10)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert "\n" not in problem["detail"]
    if status == 405:
        assert answer.headers["Allow"]


def test_the_document_is_there_for_everybody(gateway: Gateway) -> None:
    document = requests.get(f"{gateway.url}/openapi.json", timeout=10).json()
    assert "/trading-signal/webhook" in document["paths"]
    assert requests.get(f"{gateway.url}/docs", timeout=10).status_code == 200
