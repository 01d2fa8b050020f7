"""Gateways as processes of their own, and the files they read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.stack import Process, cli, eventually, fetch, free_port
from producers.gateway.keys import hash_of, new_key
from worker import crash

ALPHA = "3f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c11"
BETA = "4f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c12"
DESK = "token-of-the-whole-desk"
ACCOUNTS = {
    "accounts": [
        {"name": "alpha", "token": ALPHA, "groups": ["desk"]},
        {"name": "beta", "token": BETA, "groups": ["desk"]},
        {"name": "gamma", "token": "5f0c1a52-7e0b-4f1e-9d0e-3f1f7a2b9c13"},
    ],
    "groups": [{"name": "desk", "token": DESK}],
}


@dataclass(frozen=True)
class Gateway:
    """One running gateway."""

    process: Process
    url: str
    metrics: str

    @property
    def webhook(self) -> str:
        return f"{self.url}/trading-signal/webhook"

    @property
    def v1(self) -> str:
        return f"{self.url}/v1/signals"

    def post(self, signal: Mapping[str, Any], **named: Any) -> requests.Response:
        return requests.post(self.webhook, json=signal, timeout=15, **named)

    def receipts(self, signal: Mapping[str, Any], **headers: str) -> list[dict[str, Any]]:
        answer = self.post(signal, headers={"Accept": "application/json", **headers})
        assert answer.status_code in (200, 207), answer.text
        return list(answer.json()["receipts"])

    def metric(self, line: str) -> float:
        """The value of a line of /metrics, with its labels; 0 if there is none."""
        for found in fetch(f"{self.metrics}/metrics")[1].splitlines():
            if found.startswith(f"{line} "):
                return float(found.rpartition(" ")[2])
        return 0.0


class Gateways:
    """Starts gateways against one server and prefix, and stops what a test leaves running."""

    def __init__(self, redis_url: str, prefix: str, folder: Path) -> None:
        self._redis_url, self._prefix, self.folder = redis_url, prefix, folder
        self.running: list[Gateway] = []
        self.accounts = folder / "accounts.json"
        self.accounts.write_text(json.dumps(ACCOUNTS))
        self.keys = folder / "keys.json"
        self.write_keys([])

    def start(self, *, crash_point: str = "", files: int | None = None, **settings: object) -> Gateway:
        """``settings``: SIGNALS_… names in lower case; None leaves one of ours out.

        ``files``: how many the system lets it open."""
        ours: dict[str, object] = {
            "redis_url": self._redis_url,
            "prefix": self._prefix,
            "accounts_file": self.accounts,
            "api_keys_file": self.keys,
            "gateway_port": free_port(),
            "gateway_metrics_port": free_port(),
        }
        given = {name: value for name, value in {**ours, **settings}.items() if value is not None}
        environment = {f"SIGNALS_{name.upper()}": str(value) for name, value in given.items()}
        log = self.folder / f"gateway-{len(self.running)}.log"
        limit = [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
        command = [*limit, *cli("producers", "gateway")]
        process = Process(command, log, {**environment, crash.VARIABLE: crash_point})
        url, metrics = (
            f"http://127.0.0.1:{given[name]}" for name in ("gateway_port", "gateway_metrics_port")
        )
        gateway = Gateway(process, url, metrics)
        self.running.append(gateway)
        eventually(
            lambda: process.exit_code is not None or fetch(f"{gateway.url}/livez")[0] == 200,
            within=30,
            what="the gateway answers",
        )
        assert process.exit_code is None, process.output()
        return gateway

    def stop(self) -> None:
        for gateway in self.running:
            if gateway.process.exit_code is None:
                gateway.process.stop()

    def logs(self) -> str:
        return "\n".join(gateway.process.output() for gateway in self.running)

    def add_key(self, name: str, **fields: Any) -> dict[str, str]:
        """One more API key in the file; gives the header that presents it."""
        key = new_key()
        entries = json.loads(self.keys.read_text())["keys"]
        self.write_keys([*entries, {"name": name, "hash": hash_of(key), **fields}])
        return {"Authorization": f"Bearer {key}"}

    def write_keys(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the file at once, as a mounted Secret is."""
        fresh = self.keys.with_suffix(".new")
        fresh.write_text(json.dumps({"keys": list(entries)}))
        fresh.replace(self.keys)


@pytest.fixture
def gateways(redis_url: str, prefix: str, tmp_path: Path) -> Iterator[Gateways]:
    several = Gateways(redis_url, prefix, tmp_path)
    yield several
    several.stop()


@pytest.fixture
def gateway(gateways: Gateways) -> Gateway:
    return gateways.start()


@pytest.fixture
def ended(client: Any, prefix: str) -> Callable[[str | None], str]:
    """Waits for how a signal ends."""

    def outcome(signal_id: str | None) -> str:
        def read() -> str:
            found = client.hget(f"{prefix}signal:{signal_id}", "outcome")
            return found.decode() if found else ""

        return eventually(read, within=20, what=f"{signal_id} ends")

    return outcome
